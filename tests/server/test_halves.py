"""Who spoils the sums is found by sums over halves of the sites, none of which overlap."""

from __future__ import annotations

import json
from collections import Counter
from pathlib import Path

import numpy as np
import pytest
from fedscan.errors import CheckpointError, ModelError, RoundFailedError
from fedscan.federation.protocol import Tensors
from fedscan.server.joint.attempts import Attempts
from fedscan.server.joint.events import AttemptLost, CulpritsFound, SitesSuspected
from fedscan.server.joint.loss_rule import LossRule
from fedscan.server.joint.opening import Total
from fedscan.server.joint.search import Doubt, Search
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from toy_joint import ToyJointStudy

SIX = ("berlin", "east", "north", "south", "turin", "west")
_FOLDERS = settings(
    max_examples=40, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture]
)


@pytest.fixture
def study(tmp_path: Path) -> ToyJointStudy:
    return ToyJointStudy(tmp_path, SIX)


def _require_one_set_of_sites_for_each_payment(study: ToyJointStudy) -> None:
    """No two sums that were opened of the same attempt share a site, and none is too small."""
    opened: dict[str, set[tuple[str, ...]]] = {}
    for name, site in study.sites.items():
        for message, members in site.members.items():
            assert name in members
            assert len(members) >= study.roster.min_sites
            opened.setdefault(message, set()).add(members)
    for groups in opened.values():
        counts = Counter(name for members in groups for name in members)
        assert set(counts.values()) == {1}


def test_a_site_that_sends_garbage_is_found_at_the_price_of_one_attempt(
    study: ToyJointStudy,
) -> None:
    study.sites["north"].garbage = True
    for number in range(1, 6):
        total = study.total(number, half_will_do=True)
        assert "north" not in total.members
        np.testing.assert_array_equal(total.values, study.part_sum(total, number))
        if study.search().findings.culprits:
            break
    assert study.search().findings.culprits == ("north",)
    assert number <= 3  # six, three, two or one
    assert [event.attempt for event in study.events if isinstance(event, AttemptLost)] == [1]
    suspected = [set(event.sites) for event in study.events if isinstance(event, SitesSuspected)]
    assert suspected[0] == set(SIX)
    assert all("north" in sites for sites in suspected)
    (found,) = [event for event in study.events if isinstance(event, CulpritsFound)]
    assert found.sites == ("north",)
    opened = dict(study.sites["north"].members)
    assert study.total(number + 1).members == tuple(name for name in SIX if name != "north")
    assert study.sites["north"].members == opened
    _require_one_set_of_sites_for_each_payment(study)


def test_what_must_be_of_all_sites_is_summed_anew_until_the_site_is_found(tmp_path: Path) -> None:
    study = ToyJointStudy(tmp_path, SIX, spare_attempts=4)
    study.sites["west"].garbage = True
    total = study.total(0)
    assert total.members == tuple(name for name in SIX if name != "west")
    np.testing.assert_array_equal(total.values, study.part_sum(total, 0))
    _require_one_set_of_sites_for_each_payment(study)


def test_two_that_spoil_sums_are_both_found(tmp_path: Path) -> None:
    study = ToyJointStudy(tmp_path, SIX, spare_attempts=60)
    for name in ("east", "west"):
        study.sites[name].garbage = True
    number = 0
    while len(study.search().findings.culprits) < 2:
        number += 1
        total = study.total(number, half_will_do=True)
        assert not {"east", "west"} & set(total.members)
    assert study.search().findings.culprits == ("east", "west")
    _require_one_set_of_sites_for_each_payment(study)


def test_four_sites_have_no_halves_of_three_and_their_study_ends(tmp_path: Path) -> None:
    study = ToyJointStudy(tmp_path)
    study.sites["north"].garbage = True
    with pytest.raises(RoundFailedError, match="out of range"):
        study.total(half_will_do=True)
    assert not [event for event in study.events if isinstance(event, SitesSuspected)]


def test_without_attempts_to_spare_the_sentence_names_the_suspects(tmp_path: Path) -> None:
    study = ToyJointStudy(tmp_path, SIX, spare_attempts=0)
    study.sites["north"].garbage = True
    with pytest.raises(RoundFailedError, match="berlin, east, north, south, turin, west"):
        study.total(half_will_do=True)


def test_whose_part_makes_the_model_worse_is_found_too(study: ToyJointStudy) -> None:
    def judge(total: Total) -> Doubt | None:
        return Doubt("it got worse", is_proof=False) if "turin" in total.members else None

    number = 0
    while not study.search().findings.culprits:
        number += 1
        assert "turin" not in study.total(number, judge=judge, half_will_do=True).members
    assert study.search().findings.culprits == ("turin",)
    assert sum(isinstance(event, AttemptLost) for event in study.events) == 1


def test_a_training_that_gets_worse_by_itself_makes_nobody_a_culprit(study: ToyJointStudy) -> None:
    def judge(total: Total) -> Doubt:
        return Doubt("it got worse", is_proof=False)

    for number in (1, 2, 3):
        total = study.total(number, judge=judge, half_will_do=True)
        assert total.members == SIX
        np.testing.assert_array_equal(total.values, study.part_sum(total, number))
    assert study.search().findings.culprits == study.search().findings.suspects == ()
    assert sum(isinstance(event, AttemptLost) for event in study.events) == 1
    _require_one_set_of_sites_for_each_payment(study)


@pytest.mark.parametrize("names", [SIX, SIX[:4]])
def test_a_bad_sign_ends_no_study(tmp_path: Path, names: tuple[str, ...]) -> None:
    study = ToyJointStudy(tmp_path, names, spare_attempts=0)
    total = study.total(judge=lambda total: Doubt("worse", is_proof=False), half_will_do=True)
    assert total.members == names


def test_a_coordinator_that_was_killed_opens_the_same_halves(study: ToyJointStudy) -> None:
    study.sites["north"].garbage = True
    Attempts(study.folder / "attempts.json").settle(1, [SIX[:3], SIX[3:]])
    total = study.total(half_will_do=True)
    assert total.members == SIX[3:]
    again = study.total(half_will_do=True)
    np.testing.assert_array_equal(total.values, again.values)
    assert study.search().findings.suspects == SIX[:3]
    _require_one_set_of_sites_for_each_payment(study)


@_FOLDERS
@given(data=st.data())
def test_halves_share_nobody_and_are_large_enough(
    tmp_path_factory: pytest.TempPathFactory, data: st.DataObject
) -> None:
    names = data.draw(st.lists(st.integers(0, 99).map("s{:02}".format), unique=True, min_size=2))
    fewest = data.draw(st.integers(2, 6))
    suspects = data.draw(st.sets(st.sampled_from(names), min_size=2))
    search = Search(tmp_path_factory.mktemp("search") / "search.json")
    search.begin(suspects)
    groups = search.groups(names, fewest)
    assert sorted(name for group in groups for name in group) == sorted(names)
    assert len(groups) == (2 if len(names) >= 2 * fewest else 1)
    if len(groups) == 2:
        assert min(map(len, groups)) >= fewest
        shared = [len(suspects & set(group)) for group in groups]
        assert abs(shared[0] - shared[1]) <= 1


@_FOLDERS
@given(
    sites=st.integers(6, 40),
    bad=st.integers(0, 39),
    silent=st.sets(st.integers(0, 20), max_size=5),
)
def test_one_bad_site_never_puts_the_blame_on_another(
    tmp_path_factory: pytest.TempPathFactory, sites: int, bad: int, silent: set[int]
) -> None:
    names = [f"s{number:02}" for number in range(sites)]
    culprit = names[bad % sites]
    search = Search(tmp_path_factory.mktemp("search") / "search.json")
    search.begin(names)
    for turn in range(20):
        if search.findings.culprits or not search.findings.suspects:
            break
        assert culprit in search.findings.suspects
        groups = search.groups(names, 3)
        # It may be honest now and then, to mislead.
        wrong = [] if turn in silent else [group for group in groups if culprit in group]
        if wrong:
            search.narrow(wrong)
        else:
            search.end()
    assert set(search.findings.culprits) <= {culprit}


@pytest.mark.parametrize("content", ["", "[]", "{}", '{"suspects": 1}'])
def test_a_damaged_search_is_told(tmp_path: Path, content: str) -> None:
    (tmp_path / "search.json").write_text(content)
    with pytest.raises(CheckpointError, match="search"):
        Search(tmp_path / "search.json")


def test_a_search_is_on_disk(tmp_path: Path) -> None:
    search = Search(tmp_path / "search.json")
    search.begin(SIX)
    assert Search(tmp_path / "search.json").findings == search.findings
    assert json.loads((tmp_path / "search.json").read_text())["suspects"] == list(SIX)


def _model(value: float) -> Tensors:
    return {"w": np.full(2, value, np.float32)}


def test_a_step_that_makes_the_model_much_worse_is_doubted() -> None:
    measured: list[float] = []

    def measure(model: Tensors) -> float:
        measured.append(float(model["w"][0]))
        return measured[-1]

    rule = LossRule(measure)
    assert rule.doubt(_model(1.0), _model(1.4)) is None
    doubt = rule.doubt(_model(1.0), _model(1.6))
    assert doubt is not None
    assert not doubt.is_proof
    assert measured == pytest.approx([1.0, 1.4, 1.6])  # each model once


def test_a_loss_that_is_not_finite_is_a_doubt_and_one_that_never_was_is_none() -> None:
    def measure(model: Tensors) -> float:
        if model["w"][0] < 0:
            raise ModelError("The loss on public images is not finite.")
        return 1.0

    assert LossRule(measure).doubt(_model(1.0), _model(-1.0)) is not None
    assert LossRule(measure).doubt(_model(-1.0), _model(1.0)) is None
