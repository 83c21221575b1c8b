"""What a joint study tells its observer beside what every study does: keys, sums and their end.

As in :mod:`~fedscan.server.events`, ``ledger`` is the ledger that paid and its last line, if the
site told.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from ..events import Event


@dataclass(frozen=True, kw_only=True)
class KeysAsked(Event):
    """So many sites were asked for their keys for a joint study; nobody pays."""

    sites: int
    request: str


@dataclass(frozen=True, kw_only=True)
class KeyReceived(Event):
    """A site gave its keys ("ok"), or by its code why not."""

    site: str
    code: str
    seconds: float


@dataclass(frozen=True, kw_only=True)
class RosterMade(Event):
    """A joint study has its roster; stewards compare its words before they approve."""

    sites: Sequence[str]
    digest: str
    words: str


@dataclass(frozen=True, kw_only=True)
class PartReady(Event):
    """A site has its part of a joint sum and keeps it ("ok"), or says by its code why not."""

    round: int
    attempt: int
    site: str
    code: str
    seconds: float
    ledger: str = ""


@dataclass(frozen=True, kw_only=True)
class SumSettled(Event):
    """From now on this attempt of a joint sum is of these sites and no others."""

    round: int
    attempt: int
    sites: Sequence[str]


@dataclass(frozen=True, kw_only=True)
class PartReceived(Event):
    """A site's part came under masks ("ok"), or by its code why not."""

    round: int
    attempt: int
    site: str
    code: str
    seconds: float
    ledger: str = ""


@dataclass(frozen=True, kw_only=True)
class AttemptLost(Event):
    """An attempt of a joint sum cannot be finished; the next one is paid for anew."""

    round: int
    attempt: int
    reason: str


@dataclass(frozen=True, kw_only=True)
class SitesSuspected(Event):
    """One of these sites spoils the sums; who, will be seen from sums over halves of the sites."""

    round: int
    attempt: int
    sites: Sequence[str]
    reason: str


@dataclass(frozen=True, kw_only=True)
class CulpritsFound(Event):
    """Every sum with these sites was wrong; they are asked no more."""

    round: int
    attempt: int
    sites: Sequence[str]
    reason: str


@dataclass(frozen=True, kw_only=True)
class EndTold(Event):
    """So many sites were told that a joint study is over, and to erase its keys."""

    sites: int
    request: str


@dataclass(frozen=True, kw_only=True)
class KeysErased(Event):
    """A site erased a joint study's keys ("ok"), or says by its code why not."""

    site: str
    code: str
    seconds: float
