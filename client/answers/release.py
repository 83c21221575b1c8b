"""What the answer to a kind of request may hold."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass


@dataclass(frozen=True, kw_only=True)
class Release:
    """What the answer to one kind of request may hold.

    Attributes:
        outline: Shape and type of each tensor, by name.
        update: Whether the tensors are new values of the request's, in the form of the study,
            whose change is limited.
        yes: Whether it says no more than yes: nothing but the number 1, which nobody pays for.
    """

    outline: Mapping[str, tuple[str, tuple[int, ...]]]
    update: bool
    yes: bool = False
