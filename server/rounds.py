"""The rounds of a study: ask all sites, combine what is usable, record, checkpoint."""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace

from ..common.counted import counted
from ..errors import RoundFailedError
from ..federation.distance import distance
from ..federation.protocol import RoundRequest, Tensors
from .aggregation import ServerOptimizer
from .checkpoint import Checkpoints, FederationState
from .collect import Collector
from .events import RoundFinished, SitesConnected
from .exchange import wait_for_sites
from .history import History, HistoryEntry
from .meanings import advice, described
from .patience import RESUME_HINT, Patience
from .updates import Update, cosine


@dataclass(frozen=True, kw_only=True, eq=False)
class Rounds:
    """Runs the rounds of one study.

    Attributes:
        collector: Reaches the sites.
        base: Digest of the public generator all start from.
        terms: Sections of the study that bind a site, as JSON texts.
        start: Tensors of the base that the warm-up changed.
        checkpoints: Where the state after each round is saved.
        history: Where each round is recorded.
        show: Told each new state, and whether it is the last.
    """

    collector: Collector
    base: str
    terms: Mapping[str, str]
    start: Tensors
    checkpoints: Checkpoints
    history: History
    show: Callable[[FederationState, bool], None]

    def run(self, state: FederationState) -> FederationState:
        """Run all rounds after ``state.round`` and return the last state.

        Raises:
            RoundFailedError: If a round ends with too few usable results. The rounds before
                it are checkpointed, so the study can be resumed.
        """
        settings = self.collector.settings
        if state.round >= settings.rounds:
            return state
        nodes = self._wait(settings.expected_sites)
        self.collector.observe(
            SitesConnected(sites=len(nodes), rounds=settings.rounds, first_round=state.round + 1)
        )
        optimizer = ServerOptimizer(settings)
        optimizer.restore(state.optimizer)
        while state.round < settings.rounds:
            state = self._round(state, optimizer)
        return state

    def _round(self, state: FederationState, optimizer: ServerOptimizer) -> FederationState:
        settings = self.collector.settings
        start = time.monotonic()
        request = RoundRequest(
            round=state.round + 1,
            rounds=settings.rounds,
            base=self.base,
            terms=self.terms,
            tensors=state.model,
            start=self.start,
        )
        updates, entries = self.collector.collect(request, self._wait(settings.min_results))
        patience = Patience(settings.approval_timeout_s, self.collector.observe)
        while len(updates) < settings.min_results and patience.waits(
            request.round, {entry.site: entry.code for entry in entries}
        ):
            updates, entries = self.collector.collect(
                request, self._wait(settings.min_results), (updates, entries)
            )
        if len(updates) < settings.min_results:
            self.history.append(entries)
            raise _too_few(request.round, len(updates), settings.min_results, entries)
        model = optimizer.step(request.round, state.model, updates)
        following = FederationState(
            round=request.round,
            model=model,
            average=state.next_average(model, settings.ema_decay),
            optimizer=optimizer.state(list(model)),
        )
        # History first: on resuming, entries beyond the last checkpoint are dropped.
        self.history.append(_with_cosines(entries, updates, state.model, model))
        self.checkpoints.save(following)
        self.collector.observe(
            RoundFinished(
                round=request.round,
                rounds=settings.rounds,
                results=len(updates),
                update_norm=distance(state.model, model),
                seconds=time.monotonic() - start,
            )
        )
        self.show(following, following.round == settings.rounds)
        return following

    def _wait(self, target: int) -> list[int]:
        settings = self.collector.settings
        return wait_for_sites(
            self.collector.grid,
            target=target,
            minimum=settings.min_results,
            limit_s=settings.wait_timeout_s,
        )


def _with_cosines(
    entries: Sequence[HistoryEntry], updates: Sequence[Update], before: Tensors, after: Tensors
) -> list[HistoryEntry]:
    angles = {update.site: cosine(update, before, after) for update in updates}
    return [
        replace(entry, cosine=angles[entry.site]) if entry.site in angles else entry
        for entry in entries
    ]


def _too_few(
    number: int, usable: int, minimum: int, entries: Sequence[HistoryEntry]
) -> RoundFailedError:
    codes = {entry.site: entry.code for entry in entries}
    return RoundFailedError(
        f"Round {number} ended with {counted(usable, 'usable result')} of the {minimum} it needs "
        f"({described(codes)}).",
        hint=f"{advice(codes.values())} {RESUME_HINT}".lstrip(),
    )
