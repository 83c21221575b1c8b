"""Resampling through MONAI transforms: one scale per picture, one orientation for all.

Proportions are kept: pixels become square by their physical size, and the shorter side is
padded, never stretched.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import torch
from numpy.typing import NDArray

# MONAI takes seconds to import, which a round on cached examples need not wait for.


def fitted_size(
    shape: Sequence[int], spacing: Sequence[float], image_size: int
) -> tuple[tuple[int, ...], float]:
    """Find the size at which an array's longest physical side has ``image_size`` pixels.

    Args:
        shape: Size in pixels along each axis.
        spacing: Pixel size along each axis, mm.
        image_size: Wanted size of the longest side in pixels.

    Returns:
        Sizes along each axis, at least 1, and the new pixel size in mm.
    """
    extents = [count * step for count, step in zip(shape, spacing, strict=True)]
    pixel = max(extents) / image_size
    return tuple(max(1, round(extent / pixel)) for extent in extents), pixel


def resize_images(images: NDArray[np.float32], size: Sequence[int]) -> NDArray[np.float32]:
    """Resize channel-first images ``[N, ...]``; averages over areas when shrinking."""
    old = images.shape[1:]
    if tuple(size) == old:
        return images
    shrinks = all(new <= before for new, before in zip(size, old, strict=True))
    smooth = "bilinear" if len(size) == 2 else "trilinear"
    mode = "area" if shrinks else smooth
    return _resize(images, size, mode).astype(np.float32)


def resize_labels(labels: NDArray[np.uint8], size: Sequence[int]) -> NDArray[np.uint8]:
    """Resize channel-first label maps ``[N, ...]`` to the nearest pixel."""
    if tuple(size) == labels.shape[1:]:
        return labels
    return _resize(labels, size, "nearest-exact").astype(np.uint8)


def pad_square(images: NDArray[np.generic], side: int, fill: float) -> NDArray[np.generic]:
    """Pad channel-first pictures ``[N, H, W]`` to ``[N, side, side]``, centred."""
    from monai.transforms import SpatialPad

    images = np.ascontiguousarray(images)
    if images.shape[1:] == (side, side):
        return images
    square = SpatialPad((side, side), mode="constant", value=fill)(torch.from_numpy(images))
    return np.asarray(square)


def _resize(images: NDArray[np.generic], size: Sequence[int], mode: str) -> NDArray[np.generic]:
    from monai.transforms import Resize

    tensor = torch.from_numpy(np.ascontiguousarray(images, np.float32))
    return np.asarray(Resize(tuple(size), mode=mode)(tensor))
