"""A running federation as a table: what each site has done, from the events that arrive."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass

from rich.table import Table
from rich.text import Text

from ..common.counted import counted
from ..server.events import (
    CheckpointSkipped,
    Event,
    GeneratorSaved,
    LossMeasured,
    NothingMoved,
    ReadinessReceived,
    RoundFinished,
    RoundStarted,
    SiteFinished,
    SitesAwaited,
    SitesConnected,
    WeightsMoved,
    WorkSkipped,
)
from ..server.joint.events import AttemptLost, CulpritsFound, RosterMade, SitesSuspected
from ..server.progress.rounds import LARGEST_STEP, is_worse
from ..simulation.events import (
    BudgetWasted,
    EvaluationSkipped,
    SiteIndexed,
    StageProgress,
    StageStarted,
    SubsetChosen,
)

#: Rows that a terminal shows at once.
_MOST_ROWS = 16


@dataclass
class SiteState:
    """One row: what is known of one site."""

    patients: int | None = None
    round: int = 0
    code: str = "waiting"
    seconds: float | None = None
    epsilon: float | None = None


class LiveTable:
    """Follows the events of a simulation.

    Args:
        epsilon_of: Returns what a site's ledger records as spent, or ``None`` without a ledger.
        ceiling: Epsilon that each site may spend.

    Attributes:
        sites: The rows by the site's name.
        stage: What is being done now.
        share: How much of that is done, from 0 to 1.
    """

    def __init__(self, epsilon_of: Callable[[str], float | None], ceiling: float) -> None:
        self._epsilon_of = epsilon_of
        self._ceiling = ceiling
        self.sites: dict[str, SiteState] = {}
        self.stage = "starting"
        self.share = 0.0
        self._comparison = ""
        self._loss: float | None = None

    def take(self, event: Event) -> str:
        """Take an event in.

        Returns:
            A line for a log, or nothing where the event is not worth one.
        """
        match event:
            case StageStarted(stage=stage):
                self.stage, self.share, self._loss = stage, 0.0, None
                self._comparison = stage if event.comparison else ""
                return stage
            case StageProgress(stage=stage, share=share):
                self.stage, self.share = stage, share
            case SiteIndexed():
                self._site(event.site).patients = event.train_patients
                aside = sum(event.set_aside.values())
                counts = f"{event.train_patients} to train on, {event.holdout_patients} held out"
                return f"{event.site}: {counts}, {counted(aside, 'file')} set aside"
            case SitesConnected():
                self.stage, self.share = "training", 0.0
                return (
                    f"{counted(event.sites, 'site')}, rounds {event.first_round} to {event.rounds}"
                )
            case RoundStarted():
                self.stage = f"round {event.round} of {event.rounds}"
                if self._comparison:
                    self.stage = f"{self._comparison}: {self.stage}"
                self.share = (event.round - 1) / event.rounds
            case SiteFinished():
                return self._finished(event)
            case ReadinessReceived():
                return "" if event.code == "ok" else f"{event.site} cannot begin: {event.code}"
            case RosterMade():
                return f"roster of {counted(len(event.sites), 'site')}: {event.words}"
            case AttemptLost():
                return f"round {event.round}, attempt {event.attempt} is lost: {event.reason}"
            case SitesSuspected():
                return f"one of {', '.join(event.sites)} spoils the sums; halves will tell who"
            case CulpritsFound():
                return f"asked no more, for every sum with them was wrong: {', '.join(event.sites)}"
            case SitesAwaited():
                waiting = ", ".join(f"{site} ({code})" for site, code in event.sites.items())
                return f"waiting for {waiting}"
            case RoundFinished():
                self.share = event.round / event.rounds
                return self._round_line(event)
            case LossMeasured():
                before, self._loss = self._loss, event.loss
                if before is not None and is_worse(before, event.loss):
                    return (
                        f"round {event.round}: the loss on public images rose from {before:.4g} "
                        f"to {event.loss:.4g}"
                    )
            case WeightsMoved() if event.step > LARGEST_STEP:
                return (
                    f"round {event.round}: a step moved the weights by {event.step:.1%} of their "
                    f"length, and more than {LARGEST_STEP:.0%} is much"
                )
            case NothingMoved():
                return "the U-Net's weights are those that the study started from"
            case WorkSkipped():
                return f"left out: {event.what}, for {event.reason}"
            case CheckpointSkipped():
                return f"checkpoint {event.name} passed over: {event.reason}"
            case SubsetChosen():
                return f"trains {event.reason}"
            case BudgetWasted():
                return f"{event.verdict} `fedscan plan` tells what else could train."
            case EvaluationSkipped(reason=reason):
                return f"not evaluated: {reason}"
            case GeneratorSaved():
                return f"generator saved in {event.folder}"
        return ""

    def table(self) -> Table:
        """Return the sites as a table."""
        table = Table("Site", "Training patients", "Round", "State", "Seconds", "Epsilon spent")
        for name, site in self._first_rows():
            table.add_row(
                Text(name),
                "" if site.patients is None else str(site.patients),
                str(site.round or ""),
                Text(site.code, style="" if site.code in ("ok", "waiting") else "bold red"),
                "" if site.seconds is None else f"{site.seconds:.1f}",
                "" if site.epsilon is None else f"{site.epsilon:.2f} of {self._ceiling:g}",
            )
        if rest := len(self.sites) - len(table.rows):
            states = Counter(site.code for site in self.sites.values())
            text = ", ".join(f"{count} {code}" for code, count in states.most_common())
            table.add_row(f"and {rest} more", "", "", Text(f"of all: {text}"), "", "")
        return table

    def _first_rows(self) -> list[tuple[str, SiteState]]:
        """Return all sites, or of many those that need a look: what failed, then the slowest."""
        rows = list(self.sites.items())
        if len(rows) <= _MOST_ROWS:
            return rows
        rows.sort(key=lambda row: (row[1].code in ("ok", "waiting"), -(row[1].seconds or 0.0)))
        return rows[: _MOST_ROWS - 1]

    def _site(self, name: str) -> SiteState:
        return self.sites.setdefault(name, SiteState())

    def _finished(self, event: SiteFinished) -> str:
        site = self._site(event.site)
        site.round, site.code, site.seconds = event.round, event.code, event.seconds
        if not self._comparison:
            site.epsilon = self._epsilon_of(event.site)
        return "" if event.code == "ok" else f"round {event.round}, {event.site}: {event.code}"

    def _round_line(self, event: RoundFinished) -> str:
        by_site = {name: site.epsilon for name, site in self.sites.items() if site.epsilon}
        epsilons = ", ".join(f"{name} {epsilon:.2f}" for name, epsilon in by_site.items())
        if len(by_site) > _MOST_ROWS:
            epsilons = f"{min(by_site.values()):.2f} to {max(by_site.values()):.2f}"
        line = f"round {event.round}/{event.rounds}: {event.results} results, "
        line += f"update norm {event.update_norm:.3g}, {event.seconds:.1f} s"
        return f"{line}; epsilon {epsilons}" if epsilons and not self._comparison else line
