"""Whatever a site is asked, it answers under its own name, once, or nothing of it is used."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from fedscan.config.federation import FederationSettings
from fedscan.errors import RoundFailedError
from fedscan.federation.protocol import OK, RoundReply, RoundRequest
from fedscan.server.asking import Sites
from fedscan.server.composition import collect_compositions, read_compositions
from fedscan.server.events import CompositionReceived, Event, StatisticsReceived
from fedscan.server.statistics import collect_statistics
from fedscan.simulation.grid import InProcessGrid
from toy_federation import AnsweringTwice, enrol
from toy_sites import Behaviour, saying, toy_app

ASKED = RoundRequest(round=0, rounds=2, base="0" * 64, terms={}, tensors={})
NAMES = ["site-1", "site-2", "site-3"]


class Question:
    """Asks toy sites one of the questions outside of the rounds."""

    def __init__(self, folder: Path, kind: str) -> None:
        self.path, self.kind = folder / "answers.json", kind
        self.events: list[Event] = []

    def ask(
        self,
        behaviours: dict[str, Behaviour] | None = None,
        *,
        names: list[str] = NAMES,
        enrolled: list[str] | None = None,
        grid: type[InProcessGrid] = InProcessGrid,
        **settings: Any,
    ) -> dict[str, float]:
        """Return the first number of each site, or of all of them together."""
        app = toy_app(behaviours or {})
        with grid(lambda: app, [{"site": name} for name in names]) as opened:
            if enrolled:
                enrol(opened, enrolled)
            if self.kind == "composition":
                return self._compositions(opened)
            return self._statistics(opened, settings)

    def codes(self) -> dict[str, str]:
        kinds = (CompositionReceived, StatisticsReceived)
        return {one.site: one.code for one in self.events if isinstance(one, kinds)}

    def _compositions(self, grid: InProcessGrid) -> dict[str, float]:
        collect_compositions(
            self.path, grid, ASKED, finer={}, delta=1e-5, limit_s=30.0, observe=self.events.append
        )
        return {site: one.patients[0] for site, one in read_compositions(self.path).items()}

    def _statistics(self, grid: InProcessGrid, settings: dict[str, Any]) -> dict[str, float]:
        federation = replace(FederationSettings(round_timeout_s=30.0), **settings)
        total, deviation = collect_statistics(
            grid, lambda: list(grid.get_node_ids()), ASKED, federation, self.events.append
        )
        return {"all": float(total[0]), "sites": deviation**2}


@pytest.fixture
def statistics(tmp_path: Path) -> Question:
    return Question(tmp_path, "statistics")


@pytest.fixture
def composition(tmp_path: Path) -> Question:
    return Question(tmp_path, "composition")


def as_site(name: str) -> Behaviour:
    """Answer, whatever it is, in a name of one's choice."""
    return lambda request, reply: replace(reply, site=name)


IMPOSTOR = {"site-3": as_site("site-2")}
#: The third node tells everybody it is site-2, but the network enrolled it as site-4.
ENROLLED = ["site-1", "site-2", "site-4"]


def test_a_composition_in_anothers_name_is_refused_and_writes_nothing(
    composition: Question, caplog: pytest.LogCaptureFixture
) -> None:
    found = composition.ask(IMPOSTOR, enrolled=ENROLLED)
    assert composition.codes() == {"site-1": "ok", "site-2": "ok", "site-4": "protocol"}
    assert found == {"site-1": pytest.approx(0.1), "site-2": pytest.approx(0.2)}
    assert caplog.messages == ["Site 'site-4' answers in the name of 'site-2'."]


def test_an_impostor_cannot_speak_for_a_site_that_keeps_its_composition(
    composition: Question,
) -> None:
    silent = {**IMPOSTOR, "site-1": saying("privacy", from_round=0), "site-2": _private}
    assert composition.ask(silent, enrolled=ENROLLED) == {}
    assert not composition.path.exists()
    assert composition.codes() == {"site-1": "privacy", "site-2": "privacy", "site-4": "protocol"}


def _private(request: RoundRequest, reply: RoundReply) -> RoundReply:
    return RoundReply(site=reply.site, request="", code="privacy")


def test_an_impostor_does_not_change_what_a_site_released_before(composition: Question) -> None:
    composition.ask(enrolled=NAMES)
    before = json.loads(composition.path.read_text())
    away = {**IMPOSTOR, "site-2": _private}
    composition.ask(away, enrolled=ENROLLED)
    assert json.loads(composition.path.read_text()) == before


def test_statistics_in_anothers_name_are_refused_and_not_added(statistics: Question) -> None:
    found = statistics.ask(IMPOSTOR, enrolled=ENROLLED, min_results=2)
    assert statistics.codes() == {"site-1": "ok", "site-2": "ok", "site-4": "protocol"}
    assert found == {"all": pytest.approx(0.3), "sites": pytest.approx(2)}


def test_a_warm_up_with_an_impostor_for_a_needed_site_fails(statistics: Question) -> None:
    with pytest.raises(RoundFailedError, match="2 sites gave usable statistics of the 3"):
        statistics.ask(IMPOSTOR, enrolled=ENROLLED, min_results=3)


def test_a_round_in_anothers_name_changes_neither_model_nor_history(federation: Any) -> None:
    state = federation.run(IMPOSTOR, enrolled=ENROLLED, rounds=1)
    np.testing.assert_allclose(state.model["b.bias"], 1.15, rtol=1e-5)
    assert federation.codes(1) == {"site-1": "ok", "site-2": "ok", "site-4": "protocol"}
    assert len(federation.history.entries()) == 3


def test_a_refusal_in_anothers_name_does_not_retire_that_site(federation: Any) -> None:
    def poor(request: RoundRequest, reply: RoundReply) -> RoundReply:
        return RoundReply(site="site-2", request="", code="budget-exceeded")

    federation.run({"site-3": poor}, enrolled=ENROLLED)
    for number in (1, 2):
        assert federation.codes(number)["site-2"] == "ok"
        assert federation.codes(number)["site-4"] == "protocol"


def test_where_no_names_are_known_two_of_one_name_are_both_refused(
    statistics: Question, composition: Question
) -> None:
    assert set(composition.ask(IMPOSTOR)) == {"site-1"}
    found = statistics.ask({"site-3": as_site("site-2")}, names=[*NAMES, "site-4"], min_results=2)
    assert found == {"all": pytest.approx(0.5), "sites": pytest.approx(2)}


@pytest.mark.parametrize("kind", ["statistics", "composition"])
def test_a_result_without_a_name_is_refused(tmp_path: Path, kind: str) -> None:
    question = Question(tmp_path, kind)
    question.ask({"site-2": as_site("")}, enrolled=NAMES)
    assert question.codes() == {"site-1": "ok", "site-2": "update-rejected", "site-3": "ok"}


def test_an_answer_that_comes_twice_counts_once(
    statistics: Question, composition: Question, federation: Any
) -> None:
    assert list(composition.ask(grid=AnsweringTwice)) == NAMES
    assert len([one for one in composition.events if isinstance(one, CompositionReceived)]) == 3
    found = statistics.ask(grid=AnsweringTwice)
    assert found == {"all": pytest.approx(0.6), "sites": pytest.approx(3)}
    state = federation.run(rounds=1, grid=AnsweringTwice)
    np.testing.assert_allclose(state.model["b.bias"], 1.2, rtol=1e-5)
    assert len(federation.history.entries()) == 3


def test_a_site_that_was_away_while_names_were_looked_up_gives_no_result() -> None:
    """Not even if it comes back to answer: nobody can say whose the result would be."""
    app = toy_app({"site-2": as_site("site-1")})
    with InProcessGrid(lambda: app, [{"site": name} for name in NAMES]) as grid:
        nodes = grid.get_node_ids()
        enrol(grid, NAMES)
        listed = list(grid.get_nodes())
        grid.get_nodes = lambda: [listed[0], listed[2]]
        contents = dict.fromkeys(nodes, ASKED.to_records())
        answers = list(Sites(grid=grid).ask(contents, "query.composition", 30.0, lambda r: r.site))
    assert [one.result for one in answers] == ["site-1", None, "site-3"]
    assert [one.code for one in answers] == [OK, "protocol", OK]


def test_a_site_keeps_its_name_while_it_is_away() -> None:
    app = toy_app(IMPOSTOR)
    with InProcessGrid(lambda: app, [{"site": name} for name in NAMES]) as grid:
        nodes = grid.get_node_ids()
        enrol(grid, NAMES)
        sites = Sites(grid=grid)
        assert [sites.name(node) for node in nodes] == NAMES
        grid.get_nodes = list
        contents = dict.fromkeys(nodes, ASKED.to_records())
        answers = list(sites.ask(contents, "query.composition", 30.0, lambda r: r.site))
    assert [(one.site, one.code) for one in answers] == [
        ("site-1", OK),
        ("site-2", OK),
        ("site-3", "protocol"),
    ]
