"""How images of a size are made: drawn at once, or drawn smaller and given finer pixels."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from ..errors import ConfigurationError
from ..model.sampling import SIZE_STEP, size_limits
from .generator import LoadedGenerator
from .restoration.denoiser import load_denoiser, shipped_denoiser
from .restoration.prior import Prior
from .restoration.super_resolution import super_resolve

#: Fine pixels along the side of a drawn one: what `fedscan enhance --upscale` allows.
_FINEST = 4


@dataclass(frozen=True, kw_only=True)
class SizePlan:
    """How images of a size are made.

    Attributes:
        drawn_side: Side in pixels that the generator draws.
        finer: Fine pixels along the side of a drawn one; 1 if the image stays as it is drawn.
    """

    drawn_side: int
    finer: int = 1

    @property
    def side(self) -> int:
        """Side of the finished images in pixels."""
        return self.drawn_side * self.finer

    @property
    def derivation(self) -> str:
        """What is done to a drawn image, in words."""
        return f"pixels made {self.finer} times finer" if self.finer > 1 else ""


def plan_size(generator: LoadedGenerator, size: int | None) -> SizePlan:
    """Decide how images of a size are made.

    Args:
        generator: What draws them.
        size: Side in pixels; the generator's own if ``None``.

    Raises:
        ConfigurationError: If it can neither be drawn nor be reached by finer pixels.
    """
    own = generator.image_size
    if size is None or size == own:
        return SizePlan(drawn_side=own)
    smallest, largest = size_limits(generator.network)
    for finer in range(1, _FINEST + 1):
        side = size // finer
        if side * finer == size and side % SIZE_STEP == 0 and smallest <= side <= largest:
            return SizePlan(drawn_side=side, finer=finer)
    raise ConfigurationError(
        f"This generator cannot make images of {size} pixels.",
        hint=f"It draws multiples of {SIZE_STEP} from {smallest} to {largest} pixels, and makes "
        f"their pixels up to {_FINEST} times finer: such as {own}, {largest} or {2 * largest}.",
    )


def size_notes(generator: LoadedGenerator, plan: SizePlan) -> list[str]:
    """Return what is not as at the generator's own size, a sentence each."""
    own, lines = generator.image_size, []
    if plan.drawn_side != own:
        lines.append(
            f"Drawn at {plan.drawn_side}×{plan.drawn_side}: the generator's own size is "
            f"{own}×{own}."
        )
    if plan.finer > 1:
        lines.append(
            f"{plan.side}×{plan.side}: {plan.derivation} than it was drawn, as `fedscan enhance` "
            "does; structures too small to be drawn are not added."
        )
    return lines


def made_finer(
    generator: LoadedGenerator,
    images: NDArray[np.float32],
    plan: SizePlan,
    *,
    caption: str,
    position: float,
) -> NDArray[np.float32]:
    """Give drawn images ``[N, H, W]`` in [-1, 1] the finer pixels of a plan."""
    if plan.finer == 1:
        return images
    prior = Prior(generator.network, caption, position)
    fine = super_resolve(prior, load_denoiser(shipped_denoiser()), images, plan.finer)
    return np.clip(fine, -1.0, 1.0)
