"""A joint study at the coordinator: its roster, its statistics and its rounds, in this order."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from dataclasses import asdict, dataclass, field
from pathlib import Path

import numpy as np
from flwr.serverapp import Grid
from numpy.typing import NDArray

from ...common.files import write_atomically
from ...config.study import Study
from ...errors import RoundFailedError
from ...federation.joint.roster import Roster
from ...federation.protocol import RoundRequest, Tensors
from ...model.statistics.composition import FinerWords
from ...privacy.joint.plan import plan_joint
from ..asking import Sites
from ..checkpoint import Checkpoints, FederationState
from ..events import Observer
from ..exchange import wait_for_sites
from ..history import History
from ..job import ATTEMPTS, COMPOSITIONS, KEYS_ERASED, SEARCH, STATISTICS
from ..terms import site_terms
from .attempts import Attempts
from .ending import end_study
from .events import RosterMade
from .loss_rule import LossRule
from .roster import make_roster, needed_sites
from .rounds import JointRounds
from .search import Search
from .secure_sum import SecureSums
from .statistics import JointStatistics, joint_statistics

#: Under which name the composition of all sites together is kept.
ALL_SITES = "all-sites"


@dataclass(kw_only=True, eq=False)
class JointStudy:
    """A joint study that is run.

    Attributes:
        study: The study.
        base: Digest of the generator that it starts from.
        run: The run's folder.
        grid: Flower's grid.
        observe: Told what happens.
    """

    study: Study
    base: str
    run: Path
    grid: Grid
    observe: Observer
    _sums: SecureSums = field(init=False)
    _statistics: JointStatistics = field(init=False)

    def open(self) -> Mapping[str, str]:
        """Make the roster, or take up the one that was made; return the study's terms with it."""
        draft = self._request(site_terms(self.study))
        settings = needed_sites(self.study)

        def connect(target: int) -> list[int]:
            return wait_for_sites(
                self.grid,
                target=target,
                minimum=settings.min_results,
                limit_s=settings.wait_timeout_s,
            )

        roster = make_roster(
            self.run,
            self.study,
            draft,
            self.grid,
            lambda: connect(settings.expected_sites),
            self.observe,
        )
        _require_same_noise(roster, self.study)
        self.observe(RosterMade(sites=roster.names, digest=roster.digest, words=roster.words))
        self._sums = SecureSums(
            sites=Sites(grid=self.grid),
            roster=roster,
            settings=settings,
            attempts=Attempts(self.run / ATTEMPTS),
            search=Search(self.run / SEARCH),
            connect=connect,
            observe=self.observe,
        )
        return site_terms(self.study, roster.to_text())

    def count(self, terms: Mapping[str, str], finer: FinerWords) -> None:
        """Sum what the sites count once, before any round."""
        self._statistics = joint_statistics(
            self.run / STATISTICS,
            self._sums,
            self._request(terms),
            plan_joint(self.study.privacy, self.study.federation.rounds),
            finer,
            self.study.privacy.delta,
        )
        if composition := self._statistics.composition:
            content = {ALL_SITES: asdict(composition)}
            write_atomically(self.run / COMPOSITIONS, json.dumps(content, indent=2).encode())

    def group_sums(self) -> tuple[NDArray[np.float32], float]:
        """Return the sums that the warm-up begins with, and the deviation of their noise."""
        assert self._statistics.groups is not None  # a warm-up needs a share of the budget
        return self._statistics.groups, self._statistics.groups_deviation

    def rounds(
        self,
        state: FederationState,
        terms: Mapping[str, str],
        start: Tensors,
        checkpoints: Checkpoints,
        history: History,
        show: Callable[[FederationState, bool], None],
        measure: Callable[[Tensors], float] | None,
    ) -> FederationState:
        """Run all rounds after a state and return the last one.

        Args:
            state: The state to go on from.
            terms: Sections of the study that bind a site, as JSON texts.
            start: Tensors of the base that the warm-up changed.
            checkpoints: Where the state after each round is saved.
            history: Where each round is recorded.
            show: Told each new state, and whether it is the last.
            measure: Returns a model's loss on public images; ``None`` where that takes too long.

        Raises:
            RoundFailedError: If a round got too few sites, or too many attempts were lost.
        """
        rounds = JointRounds(
            study=self.study,
            sums=self._sums,
            base=self.base,
            terms=terms,
            start=start,
            patients=self._statistics.patients,
            checkpoints=checkpoints,
            history=history,
            show=show,
            loss_rule=LossRule(measure) if measure else None,
            observe=self.observe,
        )
        return rounds.run(state)

    def end(self, terms: Mapping[str, str]) -> None:
        """Tell the sites that no sum will be asked for any more, so that they erase their keys."""
        sums = self._sums
        request = self._request(terms)
        end_study(self.run / KEYS_ERASED, sums.sites, request, sums.roster.names, self.observe)

    def _request(self, terms: Mapping[str, str]) -> RoundRequest:
        rounds = self.study.federation.rounds
        return RoundRequest(round=0, rounds=rounds, base=self.base, terms=terms, tensors={})


def _require_same_noise(roster: Roster, study: Study) -> None:
    minimum = plan_joint(study.privacy, study.federation.rounds).minimum_share
    if roster.minimum_share != minimum:
        raise RoundFailedError(
            f"The roster was made for a noise of {roster.minimum_share:g} at each site, and this "
            f"release plans {minimum:g}.",
            hint="Go on with the release that began the study.",
        )
