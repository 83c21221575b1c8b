"""What is shown of many sites: the middle and the ends, those that stand apart, the rest folded."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from statistics import median

from .results import RunResults, SiteReport, SiteRound

#: Up to so many sites are all shown alike.
_FEW = 12
#: Sites that are shown by name among many.
_APART = 5

Points = Mapping[str, Sequence[tuple[int, float]]]


@dataclass(frozen=True, kw_only=True)
class RoundLine:
    """A round of many sites in one line.

    Attributes:
        round: Its number.
        answers: Usable answers.
        sites: Sites that were asked.
        failures: Sites that gave none, with their codes.
        norms: Smallest, middle and largest norm of an update; empty without an answer.
        seconds: Of the slowest site.
        bytes: Sent and received, all sites together.
    """

    round: int
    answers: int
    sites: int
    failures: str
    norms: tuple[float, ...]
    seconds: float
    bytes: int


def are_many(run: RunResults) -> bool:
    """Return whether a run has too many sites to show them all alike."""
    return len(run.sites) > _FEW


def standing_apart(run: RunResults) -> list[str]:
    """Return the sites that a reader should see first.

    Those that failed most come first, then those whose updates are furthest from the middle one.
    """
    failures: dict[str, int] = {}
    norms: dict[str, list[float]] = {}
    for entry in run.rounds:
        if entry.code == "ok":
            norms.setdefault(entry.site, []).append(entry.update_norm)
        else:
            failures[entry.site] = failures.get(entry.site, 0) + 1
    typical = {site: median(values) for site, values in norms.items()}
    middle = median(typical.values()) if typical else 0.0
    distance = {site: abs(value - middle) for site, value in typical.items()}
    order = sorted(
        (site.name for site in run.sites),
        key=lambda name: (-failures.get(name, 0), -distance.get(name, 0.0), name),
    )
    return order[:_APART]


def parted(run: RunResults) -> tuple[list[SiteReport], list[SiteReport]]:
    """Return the sites that are shown at once, and those that are folded; none if they are few."""
    if not are_many(run):
        return list(run.sites), []
    apart = set(standing_apart(run))
    # What privacy costs is never folded away where it is highest.
    costs = [(site.privacy.epsilon, site.name) for site in run.sites if site.privacy]
    apart |= {max(costs)[1]} if costs else set()
    return (
        [site for site in run.sites if site.name in apart],
        [site for site in run.sites if site.name not in apart],
    )


def condensed(series: Points, apart: Sequence[str]) -> Points:
    """Return the lines of many sites as three, and one for each that stands apart.

    Args:
        series: Points by site.
        apart: Sites that keep their line.
    """
    by_round: dict[int, list[float]] = {}
    for points in series.values():
        for number, value in points:
            by_round.setdefault(number, []).append(value)
    rounds = sorted(by_round)
    return {
        "highest of all": [(number, max(by_round[number])) for number in rounds],
        "middle": [(number, median(by_round[number])) for number in rounds],
        "lowest of all": [(number, min(by_round[number])) for number in rounds],
        **{site: series[site] for site in apart if series.get(site)},
    }


def round_lines(run: RunResults) -> list[RoundLine]:
    """Return each round in one line; nothing if the sites are few."""
    if not are_many(run):
        return []
    rounds: dict[int, list[SiteRound]] = {}
    for entry in run.rounds:
        rounds.setdefault(entry.round, []).append(entry)
    return [_line(number, entries) for number, entries in sorted(rounds.items())]


def _line(number: int, entries: Sequence[SiteRound]) -> RoundLine:
    norms = [entry.update_norm for entry in entries if entry.code == "ok"]
    failures = [f"{entry.site}: {entry.code}" for entry in entries if entry.code != "ok"]
    more = f", and {len(failures) - _APART} more" if len(failures) > _APART else ""
    return RoundLine(
        round=number,
        answers=len(norms),
        sites=len(entries),
        failures=", ".join(failures[:_APART]) + more,
        norms=(min(norms), median(norms), max(norms)) if norms else (),
        seconds=max(entry.seconds for entry in entries),
        bytes=sum(entry.bytes_sent + entry.bytes_received for entry in entries),
    )
