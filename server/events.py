"""What a running federation tells its observer, for progress displays and logs."""

from __future__ import annotations

import logging
from collections.abc import Callable, Mapping
from dataclasses import dataclass, fields

_log = logging.getLogger(__name__)


@dataclass(frozen=True, kw_only=True)
class Event:
    """Base of everything an observer can receive."""


@dataclass(frozen=True, kw_only=True)
class SitesConnected(Event):
    """Enough sites are connected to begin."""

    sites: int
    rounds: int
    first_round: int


@dataclass(frozen=True, kw_only=True)
class ReadinessAsked(Event):
    """So many sites were asked whether the study could begin, with this round; nobody pays."""

    round: int
    sites: int
    request: str


@dataclass(frozen=True, kw_only=True)
class ReadinessReceived(Event):
    """A site said yes ("ok"), or by its code what the study would be refused for there."""

    round: int
    site: str
    code: str
    seconds: float


@dataclass(frozen=True, kw_only=True)
class StatisticsAsked(Event):
    """The warm-up's question, of this digest, went out to so many sites."""

    sites: int
    request: str


@dataclass(frozen=True, kw_only=True)
class StatisticsReceived(Event):
    """A site answered the warm-up's question; ``code`` is "ok" or names what went wrong.

    Here and below, ``ledger`` is the ledger that paid and its last line, if the site told.
    """

    site: str
    code: str
    seconds: float
    ledger: str = ""


@dataclass(frozen=True, kw_only=True)
class CompositionAsked(Event):
    """At the study's end, so many sites were asked for noised numbers for a data card."""

    sites: int
    request: str


@dataclass(frozen=True, kw_only=True)
class CompositionReceived(Event):
    """A site answered with its numbers; ``code`` is "ok" or names why it did not."""

    site: str
    code: str
    seconds: float
    ledger: str = ""


@dataclass(frozen=True, kw_only=True)
class WarmedUp(Event):
    """The base was moved towards the means of so many groups."""

    groups: int


@dataclass(frozen=True, kw_only=True)
class RoundStarted(Event):
    """A round's request, of this digest, went out to so many sites."""

    round: int
    rounds: int
    sites: int
    request: str


@dataclass(frozen=True, kw_only=True)
class SiteFinished(Event):
    """A site answered, or its failure became known; ``code`` is "ok" or names what went wrong."""

    round: int
    site: str
    code: str
    seconds: float
    ledger: str = ""


@dataclass(frozen=True, kw_only=True)
class RoundFinished(Event):
    """A round's results are combined and its checkpoint is on disk."""

    round: int
    rounds: int
    results: int
    update_norm: float
    seconds: float


@dataclass(frozen=True, kw_only=True)
class LossMeasured(Event):
    """The model after a round (0: before the first) was measured on public images.

    No site takes part in it.
    """

    round: int
    loss: float


@dataclass(frozen=True, kw_only=True)
class WeightsMoved(Event):
    """A round moved the weights by this share of their length, and a step of it by so much."""

    round: int
    share: float
    step: float


@dataclass(frozen=True, kw_only=True)
class SitesAwaited(Event):
    """Too few results came, and these sites (with their codes) may yet take part in the round."""

    round: int
    sites: Mapping[str, str]


@dataclass(frozen=True, kw_only=True)
class NothingMoved(Event):
    """The study ended, and the U-Net's weights are those that it started from."""


@dataclass(frozen=True, kw_only=True)
class WorkSkipped(Event):
    """The coordinator leaves out something that no result depends on."""

    what: str
    reason: str


@dataclass(frozen=True, kw_only=True)
class CheckpointSkipped(Event):
    """A damaged checkpoint was passed over on resuming."""

    name: str
    reason: str


@dataclass(frozen=True, kw_only=True)
class GeneratorSaved(Event):
    """The trained generator is on disk, and opened again it draws the image of this digest."""

    folder: str
    image: str = ""


@dataclass(frozen=True, kw_only=True)
class StudyStopped(Event):
    """The study ended with an error and can be resumed; ``reason`` is for the coordinator."""

    code: str
    reason: str


Observer = Callable[[Event], None]


def log_event(event: Event) -> None:
    """Observe by writing one log line per event."""
    values = ", ".join(f"{field.name}={getattr(event, field.name)}" for field in fields(event))
    _log.info("%s: %s", type(event).__name__, values)
