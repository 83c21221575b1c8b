"""Draw again what a plausibility model rejects."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from ...errors import ModelError
from ...model.description import Description
from .plausibility import PlausibilityModel
from .population import kind_of

#: Rounds of drawing; what is rejected in all of them is beyond this generator.
TRIES = 20

#: ``(indices, try) -> images [len(indices), H, W]``: draws the wanted images anew in each try.
Draw = Callable[[Sequence[int], int], NDArray[np.float32]]


@dataclass(frozen=True, kw_only=True)
class Kept:
    """Images whose anatomy is plausible.

    Attributes:
        images: ``[N, H, W]``.
        rejections: How many were drawn and rejected.
    """

    images: NDArray[np.float32]
    rejections: int


def draw_plausible(
    draw: Draw,
    model: PlausibilityModel,
    descriptions: Sequence[Description | None],
    positions: Sequence[float],
) -> Kept:
    """Draw images until each is plausible.

    Args:
        draw: Draws images; the same indices and try give the same images.
        model: Judges them.
        descriptions: What each of N images is to show.
        positions: Their slice positions.

    Raises:
        ModelError: If the model has not learnt images of a kind asked for, or if some are
            implausible in every try.
    """
    contents = [_known(model, description) for description in descriptions]
    where = np.array(positions, np.float32)
    remaining = np.arange(len(contents))
    images: NDArray[np.float32] | None = None
    rejections = 0
    for attempt in range(TRIES):
        batch = draw(remaining.tolist(), attempt)
        if images is None:
            images = np.empty((len(contents), *batch.shape[1:]), np.float32)
        images[remaining] = batch
        bad = model.judge(batch, [contents[i] for i in remaining], where[remaining]).implausible
        rejections += int(bad.sum())
        remaining = remaining[bad]
        if not len(remaining):
            return Kept(images=images, rejections=rejections)
    raise ModelError(
        f"{len(remaining)} of {len(contents)} images stay implausible in {TRIES} tries, "
        f"the first of {contents[remaining[0]].caption()!r}.",
        hint="Ask for another position or prompt, or judge by eye without --reject-implausible.",
    )


def seed_of_try(seed: int, attempt: int) -> int:
    """A seed for each try: the first is the user's own, the others far from what people choose.

    PyTorch's generator takes 32 bits of a seed: steps of a prime change those in every try.
    """
    return seed + attempt * 104_729


def _known(model: PlausibilityModel, description: Description | None) -> Description:
    if description is None or kind_of(description) not in model.population:
        kind = "a prompt without a modality" if description is None else kind_of(description)
        raise ModelError(
            f"The plausibility model cannot judge {kind!r}.",
            hint=f"It has learnt {'; '.join(map(repr, model.population))}.",
        )
    return description
