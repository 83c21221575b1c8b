"""A drawn volume finished: calm cuts across the slices, and the detail that a slice has alone."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from ..model.description import Description
from ..model.generator import Generator
from ..model.sampling import sample
from ..model.volume import VolumeSettings
from .cuts import calm_cuts
from .detail import restore_detail
from .network import DenoisingNetwork


def finish_volume(
    generator: Generator,
    network: DenoisingNetwork,
    volume: NDArray[np.float32],
    description: Description,
    positions: Sequence[float],
    settings: VolumeSettings,
) -> NDArray[np.float32]:
    """Finish what :func:`~fedscan.model.volume.sample_volume` has drawn without given slices.

    Args:
        generator: That has drawn it, and draws slices alone to compare with.
        network: Takes off noise.
        volume: ``[N, H, W]`` in [-1, 1].
        description: What it shows.
        positions: ``N`` slice positions in [0, 1].
        settings: How it was drawn.

    Returns:
        ``[N, H, W]`` in [-1, 1].
    """
    alone = sample(
        generator,
        [description.caption()] * len(positions),
        positions=positions,
        guidance_scale=settings.guidance_scale,
        steps=settings.steps,
        seed=settings.seed,
        batch_size=settings.batch_size,
    )
    return restore_detail(calm_cuts(network, volume), alone)
