"""What a running simulation tells its observer, beside the events of the federation itself."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from ..server.events import Event


@dataclass(frozen=True, kw_only=True)
class StageStarted(Event):
    """A part of the simulation begins.

    Attributes:
        stage: A short phrase for people.
        comparison: Whether a generator is trained to compare with: the sites' ledgers, as the run
            shows them, have no part in that.
    """

    stage: str
    comparison: bool = False


@dataclass(frozen=True, kw_only=True)
class StageProgress(Event):
    """A part of the simulation is done to this share, from 0 to 1."""

    stage: str
    share: float


@dataclass(frozen=True, kw_only=True)
class SiteIndexed(Event):
    """A site's scans are read and its images cached.

    Attributes:
        site: The site's name.
        train_patients: Patients to train on.
        holdout_patients: Patients kept for evaluation.
        set_aside: Files set aside, by reason.
    """

    site: str
    train_patients: int
    holdout_patients: int
    set_aside: Mapping[str, int]


@dataclass(frozen=True, kw_only=True)
class SubsetChosen(Event):
    """What trains was chosen from public facts, where the study left it open.

    Attributes:
        reason: What it is, and why.
    """

    reason: str


@dataclass(frozen=True, kw_only=True)
class BudgetWasted(Event):
    """What the study trains will be more noise than signal; it is told before anything is paid.

    Attributes:
        verdict: In words, with numbers.
    """

    verdict: str


@dataclass(frozen=True, kw_only=True)
class EvaluationSkipped(Event):
    """The generator could not be measured."""

    reason: str
