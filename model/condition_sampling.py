"""Which conditions a training row shows: all of them are learnt with, and without, each other."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray
from skimage.filters import sobel

from .conditions import SPATIAL_CHANNELS, spatial_conditions

#: Share of training rows whose caption is left out, for classifier-free guidance.
CAPTION_DROPOUT = 0.1
#: Share of training rows that show any spatial condition.
SPATIAL_SHARE = 0.35
_EACH = {"mask": 0.6, "edges": 0.35, "partial": 0.35}


def edge_map(image: NDArray[np.float32]) -> NDArray[np.float32]:
    """Edge strength in [0, 1] of an image ``[H, W]`` in [-1, 1] (Sobel, strong edges saturate)."""
    strength = sobel(image)
    return np.clip(strength / max(float(np.percentile(strength, 98)), 0.05), 0, 1).astype(
        np.float32
    )


def random_known_region(rng: np.random.Generator, shape: tuple[int, int]) -> NDArray[np.bool_]:
    """Pixels of a partial scan that are given: a half-plane, a band, or all but a block."""
    rows, columns = np.mgrid[0.0 : 1.0 : shape[0] * 1j, 0.0 : 1.0 : shape[1] * 1j]
    kind = rng.integers(3)
    if kind == 0:
        angle = rng.uniform(0, 2 * np.pi)
        along = (rows - 0.5) * np.sin(angle) + (columns - 0.5) * np.cos(angle)
        return along > rng.uniform(-0.25, 0.25)
    low, high = np.sort(rng.uniform([[-0.15], [0.15]], [[0.85], [1.15]], (2, 2)), axis=0)
    if kind == 1:
        return (rows > low[0]) & (rows < high[0])
    inside = (rows > low[0]) & (rows < high[0]) & (columns > low[1]) & (columns < high[1])
    return ~inside


def random_spatial_conditions(
    rng: np.random.Generator,
    image: NDArray[np.float32],
    mask: NDArray[np.uint8] | None,
    *,
    share: float = SPATIAL_SHARE,
) -> NDArray[np.float32]:
    """Draw the spatial conditions of one training row.

    Args:
        rng: Source of the choice.
        image: ``[H, W]`` in [-1, 1].
        mask: Label map ``[H, W]``, or ``None`` where the image has none.
        share: How often any condition is shown.

    Returns:
        ``[SPATIAL_CHANNELS, H, W]``; all zero for rows that show none.
    """
    shape = (image.shape[0], image.shape[1])
    if rng.random() >= share:
        return np.zeros((SPATIAL_CHANNELS, *shape), np.float32)
    show = {name: rng.random() < chance for name, chance in _EACH.items()}
    known_pixels = random_known_region(rng, shape) if show["partial"] else None
    return spatial_conditions(
        shape,
        mask=mask if show["mask"] else None,
        edges=edge_map(image) if show["edges"] else None,
        partial=image if show["partial"] else None,
        known_pixels=known_pixels,
    )
