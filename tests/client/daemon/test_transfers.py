"""A node whose messages break off: each is answered, and nothing is waited for in vain."""

from __future__ import annotations

import signal
import subprocess
import sys
from collections.abc import Callable
from typing import Any

import httpx
import pytest
from fedscan.client.daemon import presence, transfers
from fedscan.federation.protocol import PRESENCE
from flwr.app import ConfigRecord, Message, RecordDict
from flwr.common.constant import ErrorCode, SubStatus
from flwr.supercore.inflatable.inflatable_object import get_all_nested_objects, get_object_tree
from flwr.supercore.object_store import ObjectStoreFactory
from flwr.supercore.retry import make_simple_http_retry_invoker
from flwr.supercore.run import Run, RunNotRunningException
from flwr.supercore.task_identity import TaskIdentity
from flwr.supernode import start_client_internal
from flwr.supernode.nodestate import NodeStateFactory

RUN = 7


@pytest.fixture(autouse=True)
def task(monkeypatch: pytest.MonkeyPatch) -> None:
    """What Flower's process sets before it runs an app."""
    for name in ("_run_id", "_node_id", "_task_id"):
        monkeypatch.setattr(TaskIdentity, name, RUN)


class Node:
    """Flower's node as far as it takes in a message and sends the answer."""

    def __init__(self, kind: str = "train") -> None:
        factory = ObjectStoreFactory()
        self.state, self.store = NodeStateFactory(factory).state(), factory.store()
        self.state.set_node_id(RUN)
        self.state.store_run(Run.create_empty(RUN))
        self.sent: list[Message] = []
        self.question = Message(RecordDict({"a": ConfigRecord({"b": 1})}), RUN, kind)
        self.question.metadata.__dict__["_message_id"] = self.question.object_id
        self.parts = {
            name: one.deflate() for name, one in get_all_nested_objects(self.question).items()
        }

    def take(self, pull_object: Callable[[int, str], bytes]) -> int | None:
        take = presence.present(transfers.answered(start_client_internal._pull_and_store_message))
        return take(
            state=self.state,
            object_store=self.store,
            node_config={},
            receive=lambda: (self.question, get_object_tree(self.question)),
            get_run=None,
            get_fab=None,
            pull_object=transfers.given_up(pull_object),
            confirm_message_received=lambda run_id, object_id: None,
            trusted_entities=None,
        )

    def answer(self) -> list[Message]:
        def send(message: Message, tree: Any, seconds: float) -> tuple[set[str], str]:
            self.sent.append(message)
            return {tree.object_id}, "session"

        push = transfers.ending(start_client_internal._push_messages)
        push(state=self.state, object_store=self.store, send=send, push_object=lambda *_: None)
        return self.sent


def breaks_off(run_id: int, object_id: str) -> bytes:
    raise RunNotRunningException


def test_a_message_whose_run_ends_in_the_middle_is_given_up_and_answered() -> None:
    node = Node()
    assert node.take(breaks_off) == RUN
    # Flower would leave its app waiting, and take the parts of the next message for known.
    assert node.state.get_tasks(statuses=transfers._UNFINISHED) == []
    assert set(node.store.preregister(RUN, get_object_tree(node.question))) == set(node.parts)
    (sent,) = node.answer()
    assert sent.error.code == ErrorCode.MESSAGE_UNAVAILABLE
    assert sent.metadata.reply_to_message_id == node.question.metadata.message_id


def test_an_app_that_ends_without_an_answer_is_answered_for() -> None:
    node = Node()
    assert node.take(lambda run_id, object_id: node.parts[object_id]) == RUN
    (task,) = node.state.get_tasks(statuses=transfers._UNFINISHED)
    node.state.finish_task(task.task_id, SubStatus.FAILED, "")
    (sent,) = node.answer()
    assert sent.error.code == ErrorCode.CLIENT_APP_CRASHED


def test_an_app_that_ends_in_the_middle_of_its_answer_is_not_waited_for() -> None:
    node = Node()
    node.take(lambda run_id, object_id: node.parts[object_id])
    reply = Message(RecordDict({"a": ConfigRecord({"b": 2})}), reply_to=node.question)
    reply.metadata.__dict__["_message_id"] = reply.object_id
    node.state.store_message(reply)
    node.store.preregister(RUN, get_object_tree(reply))  # and nothing of it comes
    (task,) = node.state.get_tasks(statuses=transfers._UNFINISHED)
    node.state.finish_task(task.task_id, SubStatus.FAILED, "")
    assert len(node.answer()) == 1
    assert node.state.msg_store == {}


def test_a_node_says_by_itself_that_it_has_nothing_in_hand() -> None:
    node = Node(f"query.{PRESENCE}")
    assert node.take(breaks_off) == RUN
    (sent,) = node.answer()
    assert sent.metadata.reply_to_message_id == node.question.metadata.message_id
    assert sent.error == presence.HERE
    # No app was started for it, and nothing of it stays.
    assert list(node.state.get_tasks()) == []
    assert node.state.msg_store == {}


def test_a_part_is_given_up_in_time_and_an_answer_is_not(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(transfers, "SILENCE_S", 0.0)
    invoker = transfers.impatient(make_simple_http_retry_invoker)()
    tries: list[str] = []

    def PullObject(request: str) -> str:
        tries.append(request)
        raise httpx.ConnectError("nobody there")

    def PushObject(request: str) -> str:
        tries.append(request)
        if len(tries) < 3:
            raise httpx.ConnectError("nobody there")
        return "stored"

    with pytest.raises(httpx.ConnectError):
        invoker.invoke(PullObject, "part")
    assert invoker.invoke(PushObject, "answer") == "stored"
    assert tries == ["part", "answer", "answer"]


_ENDING = """
import signal, subprocess, sys
from fedscan.client.daemon.transfers import watched
watched(subprocess.Popen)([sys.executable, "-c", ""])
signal.pause()
"""


def test_a_node_ends_with_its_superexec() -> None:
    done = subprocess.run([sys.executable, "-c", _ENDING], timeout=300, check=False)
    assert done.returncode == -signal.SIGTERM
