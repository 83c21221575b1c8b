"""A site's node as its apps see it: Flower's Runtime API, and the site's own SuperExec below it.

Messages are put in here, and what the processes below answer is taken out, as a node does with
those of a coordinator.
"""

from __future__ import annotations

import os
import socket
import subprocess
import sys
import threading
import time
from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any, Self

import uvicorn
from fedscan.client.daemon import supernode, transfers
from fedscan.client.daemon.marks import HOME_VARIABLE, OWN
from fedscan.client.daemon.service import QUIET
from fedscan.client.steward.home import SiteHome
from fedscan.federation.bundle import bundle_hash
from flwr.app import Context, Message, RecordDict
from flwr.supercore.inflatable.inflatable_object import get_all_nested_objects, get_object_tree
from flwr.supercore.inflatable.inflatable_utils import inflate_object_from_contents
from flwr.supercore.object_store import ObjectStoreFactory
from flwr.supercore.run import Run
from flwr.supercore.task_identity import TaskIdentity
from flwr.supernode import start_client_internal as node
from flwr.supernode.main import create_app
from flwr.supernode.nodestate import NodeStateFactory

RUN = 7


class SiteNode:
    """A running node of one site, without a coordinator.

    Args:
        home: The site's home.
        environment: Variables for its processes, besides those that the daemon sets.
    """

    def __init__(self, home: SiteHome, environment: Mapping[str, str] | None = None) -> None:
        stores = ObjectStoreFactory()
        states = NodeStateFactory(stores)
        self.state, self.store = states.state(), stores.store()
        claim = supernode.with_patience(type(self.state).claim_task)
        self.state.claim_task = lambda task_id: claim(self.state, task_id)
        self._home, self._environment = home, dict(environment or {})
        for name in ("task_id", "run_id", "node_id"):
            setattr(TaskIdentity, name, RUN)
        self.state.set_node_id(RUN)
        run = replace(Run.create_empty(RUN), fab_id=OWN, fab_hash=bundle_hash())
        self.state.store_run(run)
        self.state.store_fab(supernode.own_fab(run.fab_hash, RUN))
        context = Context(RUN, RUN, {"home": str(home.folder)}, RecordDict(), {})
        self.state.set_run_series_context(run.series_id, context)
        self._socket = socket.create_server(("127.0.0.1", 0))
        config = uvicorn.Config(create_app(state_factory=states), log_level="error", ws="none")
        self._server = uvicorn.Server(config)
        self._thread = threading.Thread(target=self._server.run, args=([self._socket],))
        self._superexec: subprocess.Popen[bytes] | None = None

    def __enter__(self) -> Self:
        self._thread.start()
        while not self._server.started:
            assert self._thread.is_alive()
            time.sleep(0.05)
        self.begin()
        return self

    def __exit__(self, *failure: object) -> None:
        self.end()
        self._server.should_exit = True
        self._thread.join()
        self._socket.close()

    def begin(self) -> None:
        """Start SuperExec."""
        log = (self._home.folder / "superexec.log").open("ab")
        with log:
            self._superexec = subprocess.Popen(
                [
                    *(sys.executable, "-P", "-c"),
                    "from fedscan.client.daemon.superexec import main; main()",
                    *("--insecure", "--parent-pid", str(os.getpid())),
                    *("--runtime-api-address", f"127.0.0.1:{self._socket.getsockname()[1]}"),
                ],
                stdout=log,
                stderr=log,
                stdin=subprocess.DEVNULL,
                env={
                    **os.environ,
                    **QUIET,
                    HOME_VARIABLE: str(self._home.folder),
                    "FLWR_SUPEREXEC_TASK_POLL_INTERVAL": "0.1",
                    **self._environment,
                },
            )

    def end(self) -> None:
        """Stop SuperExec in good order."""
        self.superexec.terminate()
        self.superexec.wait(120)

    @property
    def superexec(self) -> subprocess.Popen[bytes]:
        """SuperExec's process."""
        assert self._superexec is not None
        return self._superexec

    @property
    def apps(self) -> list[int]:
        """Numbers of the processes that answer: what the fork server has forked."""
        return [app for server in children(self.superexec.pid) for app in children(server)]

    def ask(self, content: RecordDict, kind: str = "train") -> Message:
        """Ask the site one thing and wait for what it answers."""
        self.put(content, kind)
        return self.get()

    def put(self, content: RecordDict, kind: str = "train") -> None:
        """Take a message in, as from a coordinator."""
        question = Message(content, RUN, kind)
        question.metadata.__dict__["_message_id"] = question.object_id
        parts = {name: one.deflate() for name, one in get_all_nested_objects(question).items()}
        taken = transfers.answered(node._pull_and_store_message)(
            state=self.state,
            object_store=self.store,
            node_config={},
            receive=lambda: (question, get_object_tree(question)),
            get_run=None,
            get_fab=None,
            pull_object=lambda run_id, name: parts[name],
            confirm_message_received=lambda run_id, name: None,
            trusted_entities=None,
        )
        assert taken == RUN

    def get(self) -> Message:
        """Wait for the answer, as a node that would send it on."""
        answers, parts = [], {}

        def send(message: Message, tree: Any, seconds: float) -> tuple[set[str], str]:
            answers.append(message)
            return set(tree_names(tree)), "session"

        transfers.ending(node._push_messages)(
            state=self.state,
            object_store=self.store,
            send=send,
            push_object=lambda run, session, name, content: parts.update({name: content}),
        )
        (answer,) = answers
        if answer.has_error():
            return answer
        return inflate_object_from_contents(answer.metadata.message_id, parts)


def tree_names(tree: Any) -> list[str]:
    """Return the names of all parts of a message."""
    return [tree.object_id, *(name for child in tree.children for name in tree_names(child))]


def children(pid: int) -> list[int]:
    """Return the processes that a process started, as far as they live."""
    try:
        text = Path(f"/proc/{pid}/task/{pid}/children").read_text()
    except FileNotFoundError:
        return []
    return [int(child) for child in text.split()]


def lives(pid: int) -> bool:
    """Whether a process is there and is no zombie."""
    try:
        stat = Path(f"/proc/{pid}/stat").read_text()
    except (FileNotFoundError, ProcessLookupError):
        return False
    return stat.rpartition(")")[2].split()[0] != "Z"
