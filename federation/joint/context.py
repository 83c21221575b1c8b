"""What one joint sum is about: two sites' masks cancel only if both mean the very same sum."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Literal

#: What is summed: the clipped gradients of one step, or all that a study counts once.
Kind = Literal["round", "statistics"]


@dataclass(frozen=True, kw_only=True)
class SumContext:
    """Everything that a mask depends on besides the keys.

    Attributes:
        study: Digest of the study, which covers its roster and with it all keys.
        kind: What is summed.
        round: Number of the round; 0 for statistics.
        attempt: Counts from 1 the times that this sum was begun.
        request: Digest of the request, which covers the model that was sent.
        members: Names of the sites whose values are in the sum, sorted.
    """

    study: str
    kind: Kind
    round: int
    attempt: int
    request: str
    members: tuple[str, ...]

    def digest(self) -> bytes:
        """Return the SHA-256 of all of it: 32 bytes that differ if anything does."""
        content = ["fedscan joint sum 1", self.study, self.kind, self.round, self.attempt]
        text = json.dumps([*content, self.request, list(self.members)], separators=(",", ":"))
        return hashlib.sha256(text.encode()).digest()


def members_digest(members: Iterable[str]) -> str:
    """Return the digest by which a ledger knows the sites of one sum, in hex."""
    text = json.dumps(["fedscan members 1", sorted(members)], separators=(",", ":"))
    return hashlib.sha256(text.encode()).hexdigest()
