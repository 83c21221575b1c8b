"""No message stays without an answer, and nothing is waited for that will not come.

Flower's node handles one message after the other, and where something dies in the middle of one it
may wait for ever: for the rest of a message whose sender is gone, or for the answer of an app that
ended without one. Until then it is deaf, though it counts as connected. Here

- a message whose run has ended, or of which nothing more comes for :data:`SILENCE_S`, is given up:
  its app is told to end, and what arrived of it is thrown away, because Flower would take a later
  message's equal parts for parts that are on their way;
- whatever was given up, and whatever an app left without an answer, is answered with an error, so
  that the coordinator asks again instead of waiting for the end of its round;
- a node whose SuperExec has died ends, and is started again by the daemon.

The wrapped functions are private to Flower 1.41; a release that lacks one of them does not start.
"""

from __future__ import annotations

import os
import signal
import subprocess
import threading
import time
from collections.abc import Callable
from types import SimpleNamespace
from typing import Any

from flwr.app import Error, Message
from flwr.common.constant import ErrorCode, Status
from flwr.supercore.inflatable.inflatable_utils import ObjectPullError
from flwr.supercore.retry import RetryInvoker
from flwr.supercore.run import RunNotRunningException
from flwr.supernode import fleet_http_connection as connection
from flwr.supernode import start_client_internal as node
from flwr.supernode.nodestate.in_memory_nodestate import CLIENT_APP_CRASHED_ERROR

#: How long a part of a message is tried for while the coordinator is out of reach.
SILENCE_S = 600.0

_PAUSE_S = 0.2
_UNFINISHED = (Status.PENDING, Status.STARTING, Status.RUNNING)
_LOST = Error(ErrorCode.MESSAGE_UNAVAILABLE, "")

Call = Callable[..., Any]


def install() -> None:
    """Change Flower's node.

    Raises:
        AttributeError: If this release of Flower does it in another way.
    """
    connection.make_simple_http_retry_invoker = impatient(  # type: ignore[assignment]
        connection.make_simple_http_retry_invoker
    )
    node._pull_and_store_message = answered(node._pull_and_store_message)  # type: ignore[assignment]
    node._push_messages = ending(node._push_messages)
    # Flower's node starts nothing else.
    node.subprocess = SimpleNamespace(Popen=watched(subprocess.Popen))  # type: ignore[assignment]


def impatient(make: Callable[[], RetryInvoker]) -> Callable[[], Any]:
    """Wrap the making of what repeats failed calls: the parts of a message are given up in time.

    Everything else, an answer above all, is tried until the coordinator is back.
    """

    class Invoker:
        def __init__(self) -> None:
            self._patient, self._brief = make(), make()
            self._brief.max_time = SILENCE_S

        def invoke(self, target: Call, *arguments: Any) -> Any:
            invoker = self._brief if target.__name__ == "PullObject" else self._patient
            return invoker.invoke(target, *arguments)

    return Invoker


def given_up(call: Call) -> Call:
    """Wrap a call for a part of a message: the end of its run is an error like others.

    Flower leaves the message as it is then, and its app waiting for the rest.
    """

    def called(run_id: int, object_id: str) -> Any:
        try:
            return call(run_id, object_id)
        except RunNotRunningException as error:
            raise ObjectPullError(object_id, "its run has ended") from error

    return called


def answered(pull_and_store: Call) -> Call:
    """Wrap the taking in of a message: what could not be taken in is answered with an error."""

    def pull(*, state: Any, object_store: Any, receive: Call, **rest: Any) -> int | None:
        messages: list[Message] = []

        def noted() -> Any:
            arrival = receive()
            if arrival is not None:
                messages.append(arrival[0])
            return arrival

        run_id: int | None = pull_and_store(
            state=state, object_store=object_store, receive=noted, **rest
        )
        if run_id is not None or not messages:
            return run_id
        node._insert_message(Message(_LOST, reply_to=messages[0]), state, object_store)
        return messages[0].metadata.run_id

    return pull


def ending(push: Call) -> Call:
    """Wrap the wait for an app's answer: it ends when nobody is left who could give one."""

    def push_messages(*, state: Any, object_store: Any, **rest: Any) -> None:
        while not _has_answer(state):
            # Apps give their answer before they say that they have ended.
            if not state.get_tasks(statuses=_UNFINISHED) and not _has_answer(state):
                _answer_for_apps(state)
                break
            time.sleep(_PAUSE_S)
        if _has_answer(state):
            push(state=state, object_store=_Store(object_store, state), **rest)

    return push_messages


def watched(start: Call) -> Call:
    """Wrap the start of SuperExec: the node ends with it."""

    def popen(command: list[str]) -> Any:
        process = start(command)

        def watch() -> None:
            process.wait()
            os.kill(os.getpid(), signal.SIGTERM)

        threading.Thread(target=watch, name="watch", daemon=True).start()
        return process

    return popen


class _Store:
    """Flower's store of a message's parts: a part that nobody is left to bring is an error."""

    def __init__(self, store: Any, state: Any) -> None:
        self._store, self._state = store, state

    def get(self, object_id: str) -> bytes | None:
        content: bytes | None = self._store.get(object_id)
        if content == b"" and not self._state.get_tasks(statuses=_UNFINISHED):
            content = self._store.get(object_id)  # an app brings all before it says it has ended
            if content == b"":
                raise ObjectPullError(object_id, "its app has ended")
        return content

    def __getattr__(self, name: str) -> Any:
        return getattr(self._store, name)


def _has_answer(state: Any) -> bool:
    with state.lock_msg_store:
        return any(
            entry.message.metadata.reply_to_message_id and not entry.is_retrieved
            for entry in state.msg_store.values()
        )


def _answer_for_apps(state: Any) -> None:
    with state.lock_msg_store:
        questions = [
            entry
            for entry in state.msg_store.values()
            if not entry.message.metadata.reply_to_message_id
        ]
        for entry in questions:
            entry.is_retrieved = True  # Flower answers for no other
        state._store_error_replies(
            {entry.message.metadata.run_id for entry in questions}, CLIENT_APP_CRASHED_ERROR
        )
