"""The roster of a joint study: who takes part with which keys, and what all of them add.

It is a part of the study's terms, so the digest that a steward approves covers it: another roster
is another study. The coordinator collects the keys, and is not trusted with it: each site finds its
own key in the roster that it approves, and stewards compare its :attr:`Roster.words`, so that
all of them mean the same one.
"""

from __future__ import annotations

import hashlib
import json
from dataclasses import dataclass, replace
from functools import cached_property
from types import MappingProxyType
from typing import Any

from ...errors import ProtocolError, RosterError
from ..protocol import RoundRequest
from .keys import PublicStudyKey
from .words import spoken

#: Name of the section of the terms that holds a roster.
ROSTER = "roster"
_FIELDS = {
    "version", "study", "members", "min_sites", "colluding_sites", "minimum_share", "clip_norm",
    "sample_rate", "steps", "spare_attempts",
}  # fmt: skip
_VERSION = 1
_MOST_MEMBERS = 1000


@dataclass(frozen=True, kw_only=True)
class Roster:
    """Who takes part in the joint sums of a study, and on what terms.

    Attributes:
        study: Digest of the study without this roster.
        members: The sites' keys, sorted by name.
        min_sites: Fewest sites whose values are ever in one sum.
        colluding_sites: Other sites that may work with the coordinator without breaking the
            first promise.
        minimum_share: Least noise multiplier that each site adds in a training step.
        clip_norm: Largest norm of one patient's gradient, which sets the common grid.
        sample_rate: Chance of a patient to be in a step.
        steps: Training steps of the study, spare attempts included.
        spare_attempts: How many of them are there to replace steps that were lost.
    """

    study: str
    members: tuple[PublicStudyKey, ...]
    min_sites: int
    colluding_sites: int
    minimum_share: float
    clip_norm: float
    sample_rate: float
    steps: int
    spare_attempts: int

    def __post_init__(self) -> None:
        names = [member.site for member in self.members]
        if names != sorted(set(names)):
            raise ProtocolError("The members of a roster must be sorted by name, each one once.")
        if any(member.study != self.study for member in self.members):
            raise RosterError("A key in the roster was made for another study.")
        if len({member.x25519 for member in self.members}) != len(names):
            raise RosterError("Two members of the roster have the same key.")
        if not 2 <= self.min_sites <= len(names):
            raise RosterError(
                f"The roster has {len(names)} sites, and a sum needs {self.min_sites}."
            )

    @cached_property
    def keys(self) -> MappingProxyType[str, PublicStudyKey]:
        """The members' keys by name."""
        return MappingProxyType({member.site: member for member in self.members})

    @property
    def names(self) -> tuple[str, ...]:
        """The members' names, sorted."""
        return tuple(self.keys)

    @property
    def has_mlkem(self) -> bool:
        """Whether all members have a key of ML-KEM, so that all pairs use it."""
        return all(member.mlkem for member in self.members)

    @cached_property
    def digest(self) -> str:
        """The SHA-256 of the roster, in hex."""
        return hashlib.sha256(self.to_text().encode()).hexdigest()

    @cached_property
    def words(self) -> str:
        """Six words that stewards compare on the telephone."""
        return spoken(self.digest)

    def to_text(self) -> str:
        """Return the section of the terms; the same bytes for the same roster."""
        values = {
            "version": _VERSION,
            "study": self.study,
            "members": [member.to_dict() for member in self.members],
            "min_sites": self.min_sites,
            "colluding_sites": self.colluding_sites,
            "minimum_share": self.minimum_share,
            "clip_norm": self.clip_norm,
            "sample_rate": self.sample_rate,
            "steps": self.steps,
            "spare_attempts": self.spare_attempts,
        }
        return json.dumps(values, sort_keys=True, separators=(",", ":"))

    @classmethod
    def from_text(cls, text: str) -> Roster:
        """Read and check a section of the terms.

        Raises:
            ProtocolError: If it is malformed.
            RosterError: If keys are not of this study, shared, or not signed by their identity.
        """
        try:
            values: Any = json.loads(text)
        except (ValueError, RecursionError):
            values = None
        if not isinstance(values, dict) or set(values) != _FIELDS or values["version"] != _VERSION:
            raise ProtocolError(f"A roster must have exactly {', '.join(sorted(_FIELDS))}.")
        members = values["members"]
        if not isinstance(members, list) or len(members) > _MOST_MEMBERS:
            raise ProtocolError(f"A roster must list at most {_MOST_MEMBERS} members.")
        for name in ("min_sites", "colluding_sites", "steps", "spare_attempts"):
            if type(values[name]) is not int or not 0 <= values[name] <= 10_000_000:
                raise ProtocolError(f"In a roster, {name} must be a whole number.")
        for name in ("minimum_share", "clip_norm", "sample_rate"):
            if type(values[name]) not in (int, float) or not 0 < values[name] < float("inf"):
                raise ProtocolError(f"In a roster, {name} must be a positive number.")
        if not isinstance(values["study"], str):
            raise ProtocolError("A roster must name its study.")
        plain = {name: values[name] for name in _FIELDS - {"version", "members"}}
        roster = cls(members=tuple(map(PublicStudyKey.from_dict, members)), **plain)
        if roster.to_text() != text:
            raise ProtocolError("A roster must be written in its one canonical form.")
        return roster


def without_roster(request: RoundRequest) -> RoundRequest:
    """Return the request of a study as it was before it had a roster: keys are made for that one.

    Args:
        request: Any request of the study.
    """
    terms = {name: text for name, text in request.terms.items() if name != ROSTER}
    return replace(request, terms=terms)
