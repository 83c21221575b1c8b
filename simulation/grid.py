"""A Flower Grid within one process (or a few): unmodified apps, no network, no server to start."""

from __future__ import annotations

import time
from collections import deque
from collections.abc import Iterable, Sequence
from multiprocessing.connection import wait
from types import TracebackType
from typing import Any, Self
from uuid import uuid4

from flwr.app import Context, Error, Message, RecordDict, UserConfig
from flwr.common.constant import SUPERLINK_NODE_ID, ErrorCode
from flwr.serverapp import Grid
from flwr.supercore.run import Run
from flwr.supercore.task_identity import TaskIdentity

from .worker import AppLoader, Worker, run_app

_RUN_ID = 1
#: Longest that pull_messages waits for a worker, so that the caller sees its own time limit.
_PATIENCE_S = 0.5


class InProcessGrid(Grid):
    """Carries messages between a ServerApp and the ClientApps of simulated sites.

    With one worker, a site's app runs in the calling process when its reply is pulled, one
    after the other. With more, persistent worker processes run several sites at once. Either
    way a site works on one message at a time, and what it answers is the same.

    Args:
        load_app: Returns the ClientApp; a module-level function if there are workers.
        sites: Flower's node configuration of every site.
        workers: Worker processes; 1 computes in this process.
    """

    def __init__(
        self, load_app: AppLoader, sites: Sequence[UserConfig], *, workers: int = 1
    ) -> None:
        self._load_app = load_app
        self._run = Run.create_empty(_RUN_ID)
        self._contexts = {
            node: Context(_RUN_ID, node, dict(config), RecordDict(), {})
            for node, config in enumerate(sites, start=SUPERLINK_NODE_ID + 1)
        }
        self._queues: dict[int, deque[Message]] = {node: deque() for node in self._contexts}
        self._replies: dict[str, Message] = {}
        count = min(workers, len(self._contexts))
        self._workers = [Worker(load_app) for _ in range(count)] if count > 1 else []
        for worker in self._workers:
            worker.wait_until_ready()
        TaskIdentity.run_id = _RUN_ID
        TaskIdentity.node_id = SUPERLINK_NODE_ID
        TaskIdentity.task_id = 0

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        value: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.close()

    def close(self) -> None:
        """End the worker processes."""
        for worker in self._workers:
            worker.stop()
        self._workers = []

    def set_run(self, run: Run) -> None:
        """Set the run."""
        self._run = run

    @property
    def run(self) -> Run:
        """The run."""
        return self._run

    def create_message(
        self,
        content: RecordDict,
        message_type: str,
        dst_node_id: int,
        group_id: str,
        ttl: float | None = None,
    ) -> Message:
        """Create a message from the server to a site."""
        return Message(content, dst_node_id, message_type, ttl=ttl, group_id=group_id)

    def get_node_ids(self) -> list[int]:
        """Return the sites' node numbers."""
        return list(self._contexts)

    def push_messages(self, messages: Iterable[Message]) -> list[str]:
        """Queue messages at their sites; returns their identifiers."""
        identifiers = []
        for message in messages:
            node = message.metadata.dst_node_id
            if node not in self._queues:
                continue
            identifier = _name(message)
            identifiers.append(identifier)
            self._queues[node].append(message)
        self._hand_out()
        return identifiers

    def pull_messages(self, message_ids: Iterable[str]) -> list[Message]:
        """Return the replies to these messages that there are, waiting a moment for one."""
        identifiers = list(message_ids)
        if not any(identifier in self._replies for identifier in identifiers):
            if self._workers:
                self._await_workers()
            else:
                self._work(identifiers)
        return [self._replies.pop(name) for name in identifiers if name in self._replies]

    def send_and_receive(
        self, messages: Iterable[Message], *, timeout: float | None = None
    ) -> list[Message]:
        """Send messages and return the replies that come within the time limit."""
        waiting = set(self.push_messages(messages))
        deadline = time.monotonic() + timeout if timeout is not None else None
        replies: list[Message] = []
        while waiting and (deadline is None or time.monotonic() < deadline):
            for reply in self.pull_messages(waiting):
                waiting.discard(reply.metadata.reply_to_message_id)
                replies.append(reply)
        return replies

    def _work(self, identifiers: list[str]) -> None:
        """Run one site in this process, in the order of the queues."""
        for node, queue in self._queues.items():
            if queue and queue[0].metadata.message_id in identifiers:
                message = queue.popleft()
                self._deliver(message, run_app(self._load_app, message, self._contexts[node]))
                return

    def _hand_out(self) -> None:
        """Give waiting messages to idle workers; a site has one at a time."""
        busy = {worker.task.metadata.dst_node_id for worker in self._workers if worker.task}
        for worker in self._workers:
            free = (node for node, queue in self._queues.items() if queue and node not in busy)
            if worker.task is None and (node := next(free, None)) is not None:
                busy.add(node)
                worker.start(self._queues[node].popleft(), self._contexts[node])

    def _await_workers(self) -> None:
        """Take what the workers finish; wait a moment for the first of them."""
        busy: dict[Any, int] = {
            worker.connection: index for index, worker in enumerate(self._workers) if worker.task
        }
        for connection in wait(list(busy), _PATIENCE_S):
            worker = self._workers[busy[connection]]
            message = worker.task
            assert message is not None
            result = worker.finish()
            if result is None:
                # Killed, or out of memory: this site's message is lost, the others go on.
                worker.stop()
                self._workers[busy[connection]] = Worker(self._load_app)
                self._workers[busy[connection]].wait_until_ready()
                error = Error(ErrorCode.CLIENT_APP_CRASHED, "The site's process died.")
                self._deliver(message, Message(error, reply_to=message))
                continue
            reply, self._contexts[message.metadata.dst_node_id] = result
            self._deliver(message, reply)
        self._hand_out()

    def _deliver(self, message: Message, reply: Message) -> None:
        if time.time() > message.metadata.created_at + message.metadata.ttl:
            return  # as a SuperLink does: nobody waits for it any more
        _name(reply)
        self._replies[message.metadata.message_id] = reply


def _name(message: Message) -> str:
    """Give a message its identifier: only the network may, so Flower offers no setter."""
    identifier = str(uuid4())
    message.metadata.__dict__["_message_id"] = identifier
    return identifier
