"""What a generator has an input for: positions, masks, edges and partial images.

A generator without such an input would draw without them, and look as if it had followed them. A
base of Stable Diffusion has none until a study trains one.
"""

from __future__ import annotations

from collections.abc import Sequence

from ..errors import ModelError
from .generator import LoadedGenerator

#: Where the middle is: what is asked for if nobody says anything.
_MIDDLE = 0.5
_HINT = (
    "Leave it out, use another generator, or draw without it by --anyway (anyway=True). A study "
    "with trainable.subset=adapters or all teaches a Stable Diffusion base masks, edges and "
    "partial images."
)


def unheard(
    generator: LoadedGenerator, *, position: float | None = _MIDDLE, spatial: Sequence[str] = ()
) -> list[str]:
    """Return what is asked for and not heard, a sentence each.

    Args:
        generator: What is asked.
        position: Slice position in [0, 1]; ``None`` for a volume, which has many.
        spatial: Names of the spatial conditions that are given.
    """
    network, lines = generator.network, []
    if position is None and not network.takes_position:
        lines.append(
            "This generator hears no slice position: all slices would show the same place."
        )
    elif position != _MIDDLE and not network.takes_position:
        lines.append(f"This generator hears no slice position ({position:g} is given).")
    if spatial and not network.takes_spatial:
        names = ", ".join(spatial)
        lines.append(f"This generator hears no mask, edges or partial image ({names} is given).")
    return lines


def require_heard(sentences: Sequence[str]) -> None:
    """Refuse what :func:`unheard` names.

    Raises:
        ModelError: If it names anything.
    """
    if sentences:
        raise ModelError(" ".join(sentences), hint=_HINT)
