"""A whole scan through a translator: to its size, slice by slice, and back."""

from __future__ import annotations

import numpy as np
import torch
from numpy.typing import NDArray
from torch.nn import functional

from .translator import Translator


def translate_slices(
    translator: Translator, images: NDArray[np.float32], caption: str
) -> NDArray[np.float32]:
    """Translate the slices of one scan.

    Args:
        translator: The translator.
        images: ``[N, H, W]`` in [-1, 1], from the lowest position to the highest.
        caption: Caption of the target.

    Returns:
        ``[N, H, W]`` in [-1, 1].
    """
    count, height, width = images.shape
    size = translator.generator.image_size
    side = max(height, width)
    top, left = (side - height) // 2, (side - width) // 2
    square = np.full((count, side, side), -1.0, np.float32)
    square[:, top : top + height, left : left + width] = images
    small = functional.interpolate(
        torch.from_numpy(square)[:, None],
        size=(size, size),
        mode="bilinear",
        antialias=True,
        align_corners=False,
    )[:, 0]
    # The middles of as many equal parts: where the slices lie in a scan that covers its region.
    positions = (np.arange(count) + 0.5) / count
    small_images = translator.translate(small.numpy(), [caption] * count, positions.tolist())
    large = functional.interpolate(
        torch.from_numpy(small_images)[:, None],
        size=(side, side),
        mode="bilinear",
        align_corners=False,
    )[:, 0].numpy()
    return np.ascontiguousarray(large[:, top : top + height, left : left + width])
