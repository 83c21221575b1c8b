"""Flower's own SuperLink state in this process, with toy sites that take messages as its node does.

A message can be lost on its way to a site: for Flower it is delivered, and no site has it.
"""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Sequence
from typing import Any, Self

from fedscan.client.daemon import presence
from fedscan.federation.protocol import PRESENCE
from fedscan.server.coordinator.asking_again import AskingAgain
from fedscan.simulation.worker import AppLoader, run_app
from flwr.app import Context, Message, RecordDict, UserConfig
from flwr.common.constant import SUPERLINK_NODE_ID
from flwr.server.superlink.linkstate import LinkStateFactory
from flwr.supercore.constant import FLWR_IN_MEMORY_DB_NAME, NOOP_FEDERATION_ID, TaskType
from flwr.supercore.object_store import ObjectStoreFactory
from flwr.supercore.task_identity import TaskIdentity
from flwr.superlink.federation.noop_federation_manager import NoOpFederationManager
from flwr.superlink.grid.inmemory_grid import InMemoryGrid

ONLINE_S = 3600.0

#: Says of a message, by its site and type, whether it is lost on its way.
Loses = Callable[[str, str], bool]


class ToySuperLink(AskingAgain):
    """The coordinator's grid over Flower's in-memory state; each site is a thread.

    Args:
        load_app: Returns the sites' app.
        sites: Flower's node configuration of every site.
        workers: Not used; every site works for itself.
    """

    #: To be replaced in a subclass, with what is under test.
    loses: Loses = staticmethod(lambda site, kind: False)  # type: ignore[assignment]
    loses_answer: Loses = staticmethod(lambda site, kind: False)  # type: ignore[assignment]

    def __init__(self, load_app: AppLoader, sites: Sequence[UserConfig], *, workers: int = 1):
        factory = LinkStateFactory(
            FLWR_IN_MEMORY_DB_NAME, NoOpFederationManager(), ObjectStoreFactory()
        )
        self.state = factory.state()
        run = self.state.create_run(
            *("", "", "", {}, NOOP_FEDERATION_ID, None, ""), primary_task_type=TaskType.SERVER_APP
        )
        TaskIdentity.run_id, TaskIdentity.node_id = run, SUPERLINK_NODE_ID
        TaskIdentity.task_id = 0
        grid = InMemoryGrid(factory)
        grid.set_run(self.state.get_run_info(run_ids=[run])[0])
        #: What was sent again: the site and the type.
        self.repeated: list[tuple[str, str]] = []
        #: What reached the sites, or was lost just before it did.
        self.handed_out: list[tuple[str, str]] = []
        self.names: dict[int, str] = {}
        self._ends = threading.Event()
        super().__init__(grid, lambda node, kind: self.repeated.append((self.names[node], kind)))
        self._threads = [self._begin(load_app, config, run) for config in sites]

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *failure: object) -> None:
        self._ends.set()
        for thread in self._threads:
            thread.join()

    def get_node_ids(self) -> list[int]:
        """Return the sites' node numbers in the order of the sites."""
        connected = set(super().get_node_ids())
        return [node for node in self.names if node in connected]

    def _begin(self, load_app: AppLoader, config: UserConfig, run: int) -> threading.Thread:
        name = str(config["site"])
        node = self.state.create_node("", "", name.encode(), ONLINE_S, name=name)
        self.state.activate_node(node, ONLINE_S)
        self.names[node] = name
        context = Context(run, node, dict(config), RecordDict(), {})
        thread = threading.Thread(target=self._serve, args=(load_app, context, name))
        thread.start()
        return thread

    def _serve(self, load_app: AppLoader, context: Context, name: str) -> None:
        while not self._ends.is_set():
            arrivals = self.state.get_message_ins(context.node_id, limit=1)
            if not arrivals:
                time.sleep(0.01)
                continue
            message, kind = arrivals[0], arrivals[0].metadata.message_type
            self.handed_out.append((name, kind))
            if self.loses(name, kind):
                continue
            reply = _here(message) or run_app(load_app, message, context)
            if self.loses_answer(name, kind):
                continue
            reply.metadata.__dict__["_message_id"] = reply.object_id
            self.state.store_message_res(reply)


def _here(message: Message) -> Message | None:
    """Let the site's own node answer what it answers by itself."""
    if message.metadata.message_type != f"query.{PRESENCE}":
        return None
    return Message(presence.HERE, reply_to=message)


def losing(times: dict[tuple[str, str], int]) -> Loses:
    """Lose the first so many messages, by site and type."""
    left = dict(times)

    def loses(site: str, kind: str) -> bool:
        left[site, kind] = left.get((site, kind), 0) - 1
        return left[site, kind] >= 0

    return loses


def superlink(**behaviour: Any) -> type[ToySuperLink]:
    """Return a network that loses messages."""
    return type("Superlink", (ToySuperLink,), {k: staticmethod(v) for k, v in behaviour.items()})
