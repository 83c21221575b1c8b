"""Asking a site again for what it never got, or whose answer never came.

Flower counts a question as delivered once it has handed it to the network. If the proxy, the
SuperLink or the site's node is killed in that moment, nobody has it any more, and Flower waits for
an answer until the question's time is up. Here a site that is silent for a while is asked whether
it is there (:data:`~fedscan.federation.protocol.PRESENCE`). Its node takes one message after the
other, the oldest first, and the next one only when it has sent the answer to the last. So

- while the site still works on its question, the query waits with the coordinator, and is forgotten
  when its time is up;
- if the query is answered and the question is not, the question or its answer is lost. The same
  is then sent once more, and the site answers as to every repeated request: with the same bytes, at
  no cost.

Whoever waits sees one answer to the question that it sent, the first that comes.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field

from flwr.app import Message, RecordDict
from flwr.proto.node_pb2 import NodeInfo
from flwr.serverapp import Grid
from flwr.supercore.run import Run

from ...federation.protocol import PRESENCE
from ..patience import MOST_REPEATS

#: Silence after which a site is asked whether it is there, in seconds: as long as one that is gone
#: counts as connected. Of a question that has less than four times as long, a quarter of its time.
SILENCE_S = 60.0
_SHARE = 0.25
#: How long a query is kept for a site that works: then the next one is sent, for this one may be
#: lost, too. Much longer than the pause between two looks for answers.
QUERY_S = 60.0


@dataclass(kw_only=True, eq=False)
class _Question:
    """A question without an answer.

    Attributes:
        message: As it was sent first.
        identifiers: Of every time that it was sent.
        asked_at: When it was last sent, or the site asked whether it is there, monotonic seconds.
        query: Identifier of the query that is under way; empty if none is.
        repeats: How often it was sent again.
    """

    message: Message
    identifiers: set[str]
    asked_at: float = field(default_factory=time.monotonic)
    query: str = ""
    repeats: int = 0

    @property
    def node(self) -> int:
        return self.message.metadata.dst_node_id

    @property
    def silence_s(self) -> float:
        return min(SILENCE_S, _SHARE * self.message.metadata.ttl)

    def rest_s(self) -> float:
        """Return how long it may yet be answered, in seconds."""
        metadata = self.message.metadata
        return metadata.created_at + metadata.ttl - time.time()


class AskingAgain(Grid):
    """A grid over the network that asks again for what was lost on its way.

    Args:
        grid: Flower's grid, whose nodes are those of :mod:`fedscan.client.daemon`.
        tell: Told the node and Flower's type of each question that is sent again.
    """

    def __init__(self, grid: Grid, tell: Callable[[int, str], object]) -> None:
        self._grid, self._tell = grid, tell
        #: By the identifier of the first time that each was sent.
        self._questions: dict[str, _Question] = {}

    def set_run(self, run: Run) -> None:
        """Set the run."""
        self._grid.set_run(run)

    @property
    def run(self) -> Run:
        """The run."""
        return self._grid.run

    def create_message(
        self,
        content: RecordDict,
        message_type: str,
        dst_node_id: int,
        group_id: str,
        ttl: float | None = None,
    ) -> Message:
        """Create a message from the server to a site."""
        return self._grid.create_message(content, message_type, dst_node_id, group_id, ttl)

    def get_node_ids(self) -> Iterable[int]:
        """Return the connected sites' node numbers."""
        return self._grid.get_node_ids()

    def get_nodes(self) -> Iterable[NodeInfo]:
        """Return the connected sites' nodes."""
        return self._grid.get_nodes()

    def push_messages(self, messages: Iterable[Message]) -> list[str]:
        """Send messages; returns the identifiers of those that were sent."""
        questions = list(messages)
        identifiers = list(self._grid.push_messages(questions))
        # Nobody asks any more for what nobody answered in its time.
        self._questions = {key: one for key, one in self._questions.items() if one.rest_s() > 0}
        for message in questions:
            if (key := message.metadata.message_id) in identifiers:
                self._questions[key] = _Question(message=message, identifiers={key})
        return identifiers

    def pull_messages(self, message_ids: Iterable[str]) -> list[Message]:
        """Return what has come of these messages; send again those that were lost."""
        first = {identifier: identifier for identifier in message_ids}
        waiting = {key: self._questions[key] for key in first if key in self._questions}
        queries = {one.query: key for key, one in waiting.items() if one.query}
        for key, question in waiting.items():
            first |= dict.fromkeys(question.identifiers, key)
        replies = list(self._grid.pull_messages([*first, *queries]))
        answers: dict[str, Message] = {}
        for reply in replies:
            if (key := first.get(reply.metadata.reply_to_message_id, "")) and key not in answers:
                # It answers the question that was sent first, whichever of them reached the site.
                reply.metadata.__dict__["_reply_to_message_id"] = key
                answers[key] = reply
                self._questions.pop(key, None)
                waiting.pop(key, None)
        # Only now: the answer to a question may come together with that to its query.
        to_repeat = []
        for reply in replies:
            one = waiting.get(queries.get(reply.metadata.reply_to_message_id, ""))
            if one is not None:
                one.query = ""
                # The SuperLink, which says that a query's time is up, is no site.
                if reply.metadata.src_node_id == one.node:
                    to_repeat.append(one)
        self._send_again([one for one in to_repeat if one.rest_s() > 0])
        self._look_for([one for one in waiting.values() if _is_silent(one)])
        return list(answers.values())

    def send_and_receive(
        self, messages: Iterable[Message], *, timeout: float | None = None
    ) -> Iterable[Message]:
        """Send messages and return what comes within the time limit; asks nothing again."""
        return self._grid.send_and_receive(messages, timeout=timeout)

    def _send_again(self, questions: list[_Question]) -> None:
        copies = [
            Message(
                one.message.content,
                one.node,
                one.message.metadata.message_type,
                ttl=one.rest_s(),
            )
            for one in questions
        ]
        for one, identifier in zip(questions, self._send(copies), strict=True):
            one.asked_at, one.repeats = time.monotonic(), one.repeats + 1
            if identifier:
                one.identifiers.add(identifier)
                self._tell(one.node, one.message.metadata.message_type)

    def _look_for(self, questions: list[_Question]) -> None:
        copies = [
            Message(RecordDict(), one.node, f"query.{PRESENCE}", ttl=min(QUERY_S, one.rest_s()))
            for one in questions
        ]
        for one, identifier in zip(questions, self._send(copies), strict=True):
            one.query, one.asked_at = identifier, time.monotonic()

    def _send(self, messages: list[Message]) -> list[str]:
        """Send messages; return the identifier of each, empty where it could not be sent."""
        if not messages:
            return []
        sendable = set(self._grid.push_messages(messages))
        identifiers = [message.metadata.message_id for message in messages]
        return [identifier if identifier in sendable else "" for identifier in identifiers]


def _is_silent(question: _Question) -> bool:
    waited_s = time.monotonic() - question.asked_at
    return (
        not question.query
        and question.repeats < MOST_REPEATS
        and waited_s >= question.silence_s
        and question.rest_s() > 0
    )
