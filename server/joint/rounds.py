"""The rounds of a joint study: a sum of the sites' clipped gradients, and one step with it."""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass

import numpy as np
from flwr.app import MessageType
from numpy.typing import NDArray

from ...config.study import Study
from ...federation.distance import distance
from ...federation.protocol import OK, RoundRequest, Tensors
from ...federation.wire import size_of
from ...privacy.joint.grid import SumGrid
from ..checkpoint import Checkpoints, FederationState
from ..events import Observer, RoundFinished, RoundStarted, SiteFinished, SitesConnected
from ..history import History, HistoryEntry
from .descent import JointDescent
from .loss_rule import LossRule
from .opening import Total
from .search import Doubt
from .secure_sum import SecureSums

#: So much more than the planned noise and signal may be in a sum: sites may add more noise.
_MARGIN = 4.0


@dataclass(frozen=True, kw_only=True, eq=False)
class JointRounds:
    """Runs the rounds of one joint study.

    Attributes:
        study: The study.
        sums: Asks the sites.
        base: Digest of the public generator all start from.
        terms: Sections of the study that bind a site, as JSON texts.
        start: Tensors of the base that the warm-up changed.
        patients: Noised number of all sites' patients.
        checkpoints: Where the state after each round is saved.
        history: Where each round is recorded.
        show: Told each new state, and whether it is the last.
        loss_rule: Looks at the model after a step; ``None`` where that takes too long.
        observe: Told what happens.
    """

    study: Study
    sums: SecureSums
    base: str
    terms: Mapping[str, str]
    start: Tensors
    patients: float
    checkpoints: Checkpoints
    history: History
    show: Callable[[FederationState, bool], None]
    loss_rule: LossRule | None
    observe: Observer

    def run(self, state: FederationState) -> FederationState:
        """Run all rounds after ``state.round`` and return the last state.

        Raises:
            RoundFailedError: If a round got too few sites, or too many attempts were lost. The
                rounds before it are checkpointed, so the study can be resumed.
        """
        rounds = self.study.federation.rounds
        if state.round < rounds:
            nodes = self.sums.connect(len(self.sums.roster.names))
            self.observe(
                SitesConnected(sites=len(nodes), rounds=rounds, first_round=state.round + 1)
            )
        while state.round < rounds:
            state = self._round(state)
        return state

    def _round(self, state: FederationState) -> FederationState:
        settings, begin, number = self.study.federation, time.monotonic(), state.round + 1
        size = sum(array.size for array in state.model.values())

        def request_of(attempt: int) -> RoundRequest:
            return RoundRequest(
                round=number,
                rounds=settings.rounds,
                base=self.base,
                terms=self.terms,
                tensors=state.model,
                start=self.start,
                attempt=attempt,
            )

        first = request_of(1)
        self.observe(
            RoundStarted(
                round=number,
                rounds=settings.rounds,
                sites=len(self.sums.roster.names),
                request=first.digest(),
            )
        )
        total = self.sums.total(
            request_of,
            MessageType.TRAIN,
            size,
            lambda total: self._doubt(state, total),
            half_will_do=True,
        )
        following = self._following(state, total)
        # History first: on resuming, entries beyond the last checkpoint are dropped.
        self.history.append(self._entries(number, total, size_of(state.model)))
        self.checkpoints.save(following)
        self.observe(
            RoundFinished(
                round=number,
                rounds=settings.rounds,
                results=len(total.members),
                update_norm=distance(state.model, following.model),
                seconds=time.monotonic() - begin,
            )
        )
        self.show(following, number == settings.rounds)
        return following

    def _following(self, state: FederationState, total: Total) -> FederationState:
        """Return the state after the step that a sum gives."""
        local, number = self.study.local, state.round + 1
        descent = JointDescent(
            state.model,
            state.optimizer,
            optimizer=local.optimizer,
            learning_rate=local.learning_rate,
            momentum=local.momentum,
        )
        model = descent.step(number, self._mean_gradient(total))
        return FederationState(
            round=number,
            model=model,
            average=state.next_average(model, self.study.federation.ema_decay),
            optimizer=descent.state(),
        )

    def _doubt(self, state: FederationState, total: Total) -> Doubt | None:
        """Return what speaks against a sum: its size, or what it would make of the model."""
        if total.rms > self._largest_rms(len(total.values), len(total.members)):
            return Doubt(f"the sum is out of range (root mean square {total.rms:.3g})")
        if self.loss_rule is None:
            return None
        return self.loss_rule.doubt(state.model, self._following(state, total).model)

    def _mean_gradient(self, total: Total) -> NDArray[np.float64]:
        privacy = self.study.privacy
        values = SumGrid(privacy.clip_norm).values(total.values)
        mean: NDArray[np.float64] = values / (privacy.sample_rate * self.patients)
        return mean

    def _largest_rms(self, size: int, members: int) -> float:
        """Return the largest root mean square of honest parts' sum, in steps of the grid."""
        privacy, roster = self.study.privacy, self.sums.roster
        noise = roster.minimum_share * np.sqrt(members)
        draws = privacy.sample_rate * self.patients
        # All drawn patients' gradients in one direction, which no two patients' are.
        signal = (draws + 3 * np.sqrt(draws) + 1) / np.sqrt(size)
        return SumGrid(privacy.clip_norm).deviation(_MARGIN * (noise + signal))

    def _entries(self, number: int, total: Total, size: int) -> list[HistoryEntry]:
        entries = []
        for answer in total.answers:
            entries.append(
                HistoryEntry(
                    round=number,
                    site=answer.site,
                    code=OK,
                    seconds=round(answer.seconds, 3),
                    bytes_sent=size,
                    bytes_received=answer.size,
                )
            )
            self.observe(
                SiteFinished(round=number, site=answer.site, code=OK, seconds=answer.seconds)
            )
        return entries
