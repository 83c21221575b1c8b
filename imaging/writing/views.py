"""Three cuts through a volume's middle, side by side."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from ...model.marking import strip

_SIDE = 192


def orthogonal_views(
    slices: NDArray[np.float32], pixel_mm: float, slice_mm: float, *, label: str
) -> Image.Image:
    """Draw the middle slice and the two cuts across it, at one scale, marked as synthetic.

    Args:
        slices: ``[S, H, W]`` in [-1, 1].
        pixel_mm: Distance of neighbouring pixels.
        slice_mm: Distance of neighbouring slices.
        label: Text below.
    """
    count, rows, columns = slices.shape
    # The last slice on top: axial volumes then stand upright.
    cuts = [
        (slices[count // 2], pixel_mm),
        (slices[::-1, rows // 2, :], slice_mm),
        (slices[::-1, :, columns // 2], slice_mm),
    ]
    side = max(rows * pixel_mm, columns * pixel_mm, count * slice_mm)
    tiles = [_fitted(cut, step / side, pixel_mm / side) for cut, step in cuts]
    return strip(np.stack(tiles), label=label, synthetic=True)


def _fitted(cut: NDArray[np.float32], high: float, wide: float) -> NDArray[np.float32]:
    """Scale a cut, whose pixels are ``high`` by ``wide`` of the tile's side, into a tile."""
    height = max(1, round(cut.shape[0] * high * _SIDE))
    width = max(1, round(cut.shape[1] * wide * _SIDE))
    picture = Image.fromarray(cut.astype(np.float32))
    small = np.asarray(picture.resize((width, height), Image.Resampling.BILINEAR))
    tile = np.full((_SIDE, _SIDE), -1.0, np.float32)
    top, left = (_SIDE - height) // 2, (_SIDE - width) // 2
    tile[top : top + height, left : left + width] = small
    return tile
