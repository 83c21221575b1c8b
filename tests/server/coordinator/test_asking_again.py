"""Questions that are lost on their way, with Flower's own state of what it has delivered."""

from __future__ import annotations

import time
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from fedscan.client.daemon.presence import HERE
from fedscan.federation.protocol import PRESENCE, REVEAL, RoundReply, RoundRequest
from fedscan.server.coordinator import asking_again
from fedscan.server.exchange import TIMEOUT, UNAVAILABLE, exchange
from fedscan.server.joint.events import AttemptLost
from flwr.app import ConfigRecord, Message, RecordDict
from toy_federation import Federation
from toy_joint import ToyJointStudy
from toy_sites import Counting, honest_app
from toy_superlink import ToySuperLink, losing, superlink

SILENCE_S = 0.3
NAMES = ["site-1", "site-2", "site-3"]


@pytest.fixture(autouse=True)
def short_silence(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(asking_again, "SILENCE_S", SILENCE_S)
    monkeypatch.setattr(asking_again, "QUERY_S", 3.0)


@pytest.fixture
def federation(tmp_path: Path) -> Federation:
    return Federation(tmp_path)


class Network:
    """Remembers the grid that a run made of a class."""

    def __init__(self, **behaviour: Callable[[str, str], bool]) -> None:
        made = self.made = []  # type: ignore[var-annotated]

        class Remembered(superlink(**behaviour)):  # type: ignore[misc]
            def __init__(self, *arguments: object, **options: object) -> None:
                super().__init__(*arguments, **options)
                made.append(self)

        self.kind = Remembered

    @property
    def repeated(self) -> list[tuple[str, str]]:
        return self.made[0].repeated

    def handed_out(self, kind: str) -> list[str]:
        return [site for site, one in self.made[0].handed_out if one == kind]


@pytest.mark.parametrize("what", ["loses", "loses_answer"])
def test_what_is_lost_on_its_way_is_asked_again(federation: Federation, what: str) -> None:
    network = Network(**{what: losing({("site-2", "train"): 1})})
    asked = Counting(lambda request, reply: reply)
    start = time.monotonic()
    state = federation.run({"site-2": asked}, grid=network.kind, min_results=3)
    assert time.monotonic() - start < 15  # and not the round's 30
    np.testing.assert_allclose(state.model["b.bias"], 1.4, rtol=1e-5)
    assert network.repeated == [("site-2", "train")]
    assert asked.rounds == ([1, 2] if what == "loses" else [1, 1, 2])
    for number in (1, 2):
        assert federation.codes(number) == dict.fromkeys(NAMES, "ok")


def test_a_site_that_takes_its_time_is_not_asked_again(federation: Federation) -> None:
    def dawdle(request: RoundRequest, reply: RoundReply) -> RoundReply:
        time.sleep(6 * SILENCE_S)
        return reply

    network = Network()
    federation.run({"site-2": dawdle}, grid=network.kind, min_results=3)
    assert network.repeated == []
    assert sorted(network.handed_out("train")) == sorted(2 * NAMES)
    # What it was asked while it worked is forgotten, but for the last time at most.
    assert set(network.handed_out(f"query.{PRESENCE}")) <= {"site-2"}
    assert len(network.handed_out(f"query.{PRESENCE}")) <= 2


def test_the_query_may_be_lost_as_well(federation: Federation) -> None:
    network = Network(loses=losing({("site-2", "train"): 1, ("site-2", f"query.{PRESENCE}"): 1}))
    federation.run(grid=network.kind, rounds=1, min_results=3)
    assert federation.codes(1) == dict.fromkeys(NAMES, "ok")
    assert network.repeated == [("site-2", "train")]


def test_what_is_lost_again_and_again_is_given_up(federation: Federation) -> None:
    network = Network(loses=losing({("site-2", "train"): 99}))
    federation.run(grid=network.kind, rounds=1, min_results=2, round_timeout_s=20.0)
    assert federation.codes(1) == {"site-1": "ok", "site-2": TIMEOUT, "site-3": "ok"}
    assert network.repeated == 3 * [("site-2", "train")]


@pytest.mark.parametrize("kind", ["train", f"query.{REVEAL}"])
@pytest.mark.parametrize("what", ["loses", "loses_answer"])
def test_both_questions_of_a_joint_sum_are_asked_again(
    tmp_path: Path, kind: str, what: str
) -> None:
    study = ToyJointStudy(tmp_path)
    network = Network(**{what: losing({("south", kind): 1, ("west", kind): 1})})
    study.grid = network.kind
    total = study.total()
    assert (total.members, total.attempt) == (("east", "north", "south", "west"), 1)
    np.testing.assert_array_equal(total.values, study.part_sum(total))
    assert sorted(network.repeated) == [("south", kind), ("west", kind)]
    assert not [event for event in study.events if isinstance(event, AttemptLost)]


def test_a_site_that_is_gone_is_told_as_before() -> None:
    lost = losing({("site-1", "train"): 1})
    with superlink(loses=lost)(honest_app, [{"site": "site-1"}]) as grid:
        (node,) = grid.get_node_ids()
        arrivals = exchange(grid, {node: RecordDict()}, "train", 30.0)
        grid.state.deactivate_node(node)
        assert [arrival.code for arrival in arrivals] == [UNAVAILABLE]


class ByHand:
    """One site, whose messages a test takes and answers by itself."""

    def __init__(self, grid: ToySuperLink) -> None:
        self.grid = grid
        self.node = grid.state.create_node("", "", b"key", 3600.0, name="by-hand")
        grid.state.activate_node(self.node, 3600.0)
        grid.names[self.node] = "by-hand"

    def ask(self) -> str:
        question = Message(RecordDict({"a": ConfigRecord({"b": 1})}), self.node, "train", ttl=60.0)
        (identifier,) = self.grid.push_messages([question])
        return identifier

    def take(self) -> Message:
        (message,) = self.grid.state.get_message_ins(self.node, limit=1)
        return message

    def answer(self, message: Message, number: int) -> None:
        is_query = message.metadata.message_type == f"query.{PRESENCE}"
        content = HERE if is_query else RecordDict({"n": ConfigRecord({"n": number})})
        reply = Message(content, reply_to=message)
        reply.metadata.__dict__["_message_id"] = reply.object_id
        assert self.grid.state.store_message_res(reply)


def test_two_answers_of_one_site_are_one() -> None:
    """As of a site that says it is there while it works, and answers both questions."""
    with ToySuperLink(honest_app, []) as grid:
        site = ByHand(grid)
        identifier = site.ask()
        question = site.take()
        time.sleep(SILENCE_S)
        assert grid.pull_messages([identifier]) == []
        site.answer(site.take(), 0)
        assert grid.pull_messages([identifier]) == []
        again = site.take()
        assert again.metadata.message_id != identifier
        assert again.content == question.content
        site.answer(again, 1)
        site.answer(question, 2)
        (reply,) = grid.pull_messages([identifier])
        assert reply.metadata.reply_to_message_id == identifier
        assert grid.repeated == [("by-hand", "train")]


def test_an_answer_that_comes_with_that_to_the_query_is_enough() -> None:
    with ToySuperLink(honest_app, []) as grid:
        site = ByHand(grid)
        identifier = site.ask()
        time.sleep(SILENCE_S)
        grid.pull_messages([identifier])
        site.answer(site.take(), 1)
        site.answer(site.take(), 0)
        (reply,) = grid.pull_messages([identifier])
        assert reply.content["n"]["n"] == 1
        assert grid.repeated == []


def test_nothing_is_kept_of_questions_whose_time_is_up() -> None:
    with ToySuperLink(honest_app, []) as grid:
        site = ByHand(grid)
        old = Message(RecordDict(), site.node, "train", ttl=0.2)
        grid.push_messages([old])
        time.sleep(0.3)
        identifier = site.ask()
        assert list(grid._questions) == [identifier]
