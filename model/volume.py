"""Whole volumes: slices at any spacing that agree with their neighbours."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

import numpy as np
import torch
from numpy.typing import NDArray

from .generator import Generator
from .inversion import invert
from .sampling import sample
from .slice_noise import correlated_noise


@dataclass(frozen=True, kw_only=True)
class VolumeSettings:
    """How a volume is drawn.

    Attributes:
        correlation: Length scale of the noise along the slices, as a share of the body region.
        guidance_scale: Classifier-free guidance; 1 means none.
        steps: Solver steps.
        seed: Seed of the noise.
        batch_size: Slices per pass.
    """

    correlation: float = 0.06
    guidance_scale: float = 1.5
    steps: int = 12
    seed: int = 0
    batch_size: int = 32


def sample_volume(
    generator: Generator,
    caption: str,
    positions: Sequence[float],
    settings: VolumeSettings,
    *,
    given: Mapping[float, NDArray[np.float32]] | None = None,
    spatial: NDArray[np.float32] | None = None,
    on_batch: Callable[[int], None] | None = None,
) -> NDArray[np.float32]:
    """Draw a volume slice by slice from noise that is correlated along the slices.

    With given slices of one patient the volume is completed: their noise is found by inversion,
    and the noise of the rest is drawn to go with it. The given slices themselves are returned
    unchanged at their positions.

    Args:
        generator: The generator.
        caption: Caption of all slices.
        positions: ``N`` slice positions in [0, 1].
        settings: How it is drawn.
        given: Known slices ``[H, W]`` in [-1, 1] by position.
        spatial: ``[N, SPATIAL_CHANNELS, H, W]``, a slice's conditions each, or ``None``.
        on_batch: Called with the number of slices done.

    Returns:
        float32 ``[N, H, W]`` in [-1, 1].
    """
    known = sorted((given or {}).items())
    anchors = None
    if known:
        at = [position for position, _ in known]
        images = torch.from_numpy(np.stack([image for _, image in known]))[:, None]
        anchors = at, invert(generator, images, [caption] * len(at), at)
    noise = correlated_noise(
        positions,
        generator.latent_shape,
        length=settings.correlation,
        seed=settings.seed,
        given=anchors,
    )
    volume = sample(
        generator,
        [caption] * len(positions),
        positions=positions,
        spatial=spatial,
        # The flow that given slices were followed back along had no guidance.
        guidance_scale=1.0 if known else settings.guidance_scale,
        steps=settings.steps,
        noise=noise,
        batch_size=settings.batch_size,
        on_batch=on_batch,
    )
    for position, image in known:
        nearest = int(np.argmin(np.abs(np.asarray(positions) - position)))
        if abs(positions[nearest] - position) < 1e-6:
            volume[nearest] = image
    return volume
