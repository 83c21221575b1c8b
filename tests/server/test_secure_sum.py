"""A joint sum at the coordinator: exact, or begun anew, whoever is lost at whatever moment."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from fedscan.errors import CheckpointError, RoundFailedError
from fedscan.server.joint.attempts import Attempts
from fedscan.server.joint.events import AttemptLost, SumSettled
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from toy_joint import ToyJointStudy

ALL = ("east", "north", "south", "west")


@pytest.fixture
def study(tmp_path: Path) -> ToyJointStudy:
    return ToyJointStudy(tmp_path)


def _require_exact(study: ToyJointStudy, members: tuple[str, ...], attempt: int = 1) -> None:
    total = study.total()
    assert (total.members, total.attempt) == (members, attempt)
    np.testing.assert_array_equal(total.values, study.part_sum(total))


def test_the_sum_is_exact(study: ToyJointStudy) -> None:
    _require_exact(study, ALL)


def test_who_never_was_ready_is_left_out(study: ToyJointStudy) -> None:
    study.sites["north"].mishaps["train"] = ["data"]
    _require_exact(study, ("east", "south", "west"))


@pytest.mark.parametrize("mishap", ["die", "internal", "ledger"])
def test_who_is_lost_after_the_roster_and_comes_back_costs_nothing(
    study: ToyJointStudy, mishap: str
) -> None:
    study.sites["south"].mishaps["reveal"] = [mishap, mishap]
    _require_exact(study, ALL)
    assert not [event for event in study.events if isinstance(event, AttemptLost)]
    assert len({attempt for _, attempt in study.sites["south"].asked}) == 1


def test_all_at_once_may_be_lost_and_come_back(study: ToyJointStudy) -> None:
    for site in study.sites.values():
        site.mishaps["reveal"] = ["die"]
    _require_exact(study, ALL)


def test_who_never_comes_back_after_the_roster_costs_an_attempt(study: ToyJointStudy) -> None:
    lost = study.sites["west"]
    lost.mishaps = {"train": ["", *["die"] * 9], "reveal": ["die"] * 9}
    _require_exact(study, ("east", "north", "south"), attempt=2)
    assert [event.attempt for event in study.events if isinstance(event, AttemptLost)] == [1]
    # Nobody was asked to open the first attempt for others than it was settled for.
    assert {site.members[study.request(1).digest()] for site in study.sites.values()
            if study.request(1).digest() in site.members} == {ALL}  # fmt: skip


def test_spare_attempts_come_to_an_end(study: ToyJointStudy) -> None:
    study.sites["west"].mishaps["reveal"] = ["die"] * 99
    with pytest.raises(RoundFailedError, match="spare attempts"):
        study.total()
    # Another round has none, either; back again, the same attempt goes on.
    study.sites["west"].mishaps["reveal"] = []
    _require_exact(study, ALL, attempt=3)


def test_too_few_sites_are_no_sum(study: ToyJointStudy) -> None:
    for name in ("east", "north"):
        study.sites[name].mishaps["train"] = ["budget-exceeded"]
    with pytest.raises(RoundFailedError, match=r"east: budget-exceeded"):
        study.total()
    assert not any(site.members for site in study.sites.values())


def test_garbage_in_a_sum_costs_an_attempt_and_is_no_result(study: ToyJointStudy) -> None:
    study.sites["north"].garbage = True
    with pytest.raises(RoundFailedError, match="out of range"):
        study.total()
    lost = [event.reason for event in study.events if isinstance(event, AttemptLost)]
    assert len(lost) == 2
    assert all("out of range" in reason for reason in lost)


@pytest.mark.parametrize("moment", ["before any answer", "after some"])
def test_a_coordinator_that_was_killed_asks_for_the_same_members(
    study: ToyJointStudy, moment: str
) -> None:
    study.sites["north"].mishaps["train"] = ["data"]  # not ready for the first one
    if moment == "before any answer":
        for site in study.sites.values():
            site.mishaps["reveal"] = ["die"]
    else:
        study.sites["west"].mishaps["reveal"] = ["die"]

    class KilledError(Exception):
        pass

    record = study.events.append

    def kill(event: object) -> None:
        record(event)  # type: ignore[arg-type]
        if isinstance(event, SumSettled):
            raise KilledError

    study.events = type("Events", (list,), {"append": lambda self, event: kill(event)})()
    with pytest.raises(KilledError):
        study.total()
    study.events = []
    _require_exact(study, ("east", "south", "west"))
    assert not [event for event in study.events if isinstance(event, AttemptLost)]


def test_each_round_has_attempts_of_its_own_and_all_share_the_spare_ones(tmp_path: Path) -> None:
    attempts = Attempts(tmp_path / "attempts.json")
    attempts.settle(1, [("a", "b")])
    attempts.give_up(1)
    attempts.give_up(2)
    attempts.give_up(0)
    attempts.settle(3, [("a", "c"), ("b", "d")])
    again = Attempts(tmp_path / "attempts.json")
    assert again.current(3).members == ("a", "b", "c", "d")
    assert (again.current(1).number, again.current(1).members) == (2, ())
    assert (again.current(3).number, again.spare_used()) == (1, 2)


def test_attempts_of_before_there_were_halves_are_read(tmp_path: Path) -> None:
    path = tmp_path / "attempts.json"
    path.write_text(
        '{"1": {"number": 2, "members": ["a", "b"]}, "2": {"number": 1, "members": []}}'
    )
    attempts = Attempts(path)
    assert (attempts.current(1).number, attempts.current(1).groups) == (2, (("a", "b"),))
    assert attempts.current(2).groups == ()


@pytest.mark.parametrize("content", ["", "[]", '{"1": {}}', '{"x": {"number": 1, "members": []}}'])
def test_damaged_attempts_are_told(tmp_path: Path, content: str) -> None:
    path = tmp_path / "attempts.json"
    path.write_text(content)
    with pytest.raises(CheckpointError, match="attempts"):
        Attempts(path)


@settings(
    max_examples=15, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture]
)
@given(
    st.dictionaries(
        st.sampled_from(ALL),
        st.tuples(
            st.lists(st.sampled_from(["", "die", "data"]), max_size=3),
            st.lists(st.sampled_from(["", "die", "roster"]), max_size=3),
        ),
    )
)
def test_whatever_happens_a_sum_is_exact_or_there_is_none(
    tmp_path_factory: pytest.TempPathFactory,
    mishaps: dict[str, tuple[list[str], list[str]]],
) -> None:
    study = ToyJointStudy(tmp_path_factory.mktemp("study"))
    for name, (train, reveal) in mishaps.items():
        study.sites[name].mishaps = {"train": list(train), "reveal": list(reveal)}
    try:
        total = study.total()
    except RoundFailedError:
        return
    assert len(total.members) >= study.roster.min_sites
    np.testing.assert_array_equal(total.values, study.part_sum(total))
    for site in study.sites.values():
        assert len(site.members) == len(set(site.members))
