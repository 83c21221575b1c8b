"""What the answer to a kind of request may hold."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

from ...federation.protocol import Tensors


@dataclass(frozen=True, kw_only=True)
class Release:
    """What the answer to one kind of request may hold.

    Attributes:
        outline: Shape and type of each tensor, by name.
        update: Whether the tensors are new values of the request's, in the form of the study,
            whose change is limited.
        public: The very tensors, where the answer is nothing but these: no patient is in them.
        paid: Whether something was paid for, so that the coordinator is shown the ledger's mark.
    """

    outline: Mapping[str, tuple[str, tuple[int, ...]]]
    update: bool
    public: Tensors = field(default_factory=dict)
    paid: bool = True

    @classmethod
    def of_public(cls, tensors: Tensors, *, paid: bool) -> Release:
        """Return what an answer may hold that says only what everybody may know."""
        outline = {name: (array.dtype.name, array.shape) for name, array in tensors.items()}
        return cls(outline=outline, update=False, public=tensors, paid=paid)
