"""A stack of slices onto an even grid with right angles, where its voxels lie in the patient.

What slices do not show is not made up without a word: thicker slices and single lost ones are
bridged linearly, a hole is left or refused.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray
from scipy.ndimage import affine_transform

from .dicom.geometry import Plane
from .lie import Floats, Lie

Image = NDArray[np.float32]

#: More voxels than a scanner makes of one body; a grid that would have more is made coarser.
_MOST_VOXELS = 2**29
_MOST_SLICES = 4096


def even_volume(images: Sequence[Image], planes: Sequence[Plane]) -> tuple[Image, Floats]:
    """Bring slices onto an even grid.

    Evenly spaced, straight slices stay as they are. A tilted gantry's slices are moved back
    within their plane, so the grid keeps their direction and is wider; between uneven slices
    values are interpolated linearly.

    Args:
        images: Slices ``[R, C]``.
        planes: Where they lie, in order of their depth.

    Returns:
        Values ``[K, R', C']``, NaN where no slice shows anything (in holes, and beside shifted
        slices), and the affine ``[4, 4]`` from (slice, row, column) to LPS mm.
    """
    lie = Lie.of(planes)
    if lie.is_straight and lie.is_even:
        return np.stack(images).astype(np.float32), lie.affine()
    depths = _even_depths(lie, images[0].size)
    numbers = lie.slice_at(depths)
    first = planes[0]
    rows, columns = images[0].shape
    low, high = np.zeros(2), np.zeros(2)
    if not lie.is_straight:
        low, high = lie.shifts.min(0), lie.shifts.max(0)
    shape = (
        rows + int(np.ceil((high[1] - low[1]) / first.spacing[0] - 1e-6)),
        columns + int(np.ceil((high[0] - low[0]) / first.spacing[1] - 1e-6)),
    )
    values = np.full((len(depths), *shape), np.nan, np.float32)
    holes = lie.holes()
    for index, (depth, number) in enumerate(zip(depths, numbers, strict=True)):
        if any(below + 1e-3 < depth < above - 1e-3 for below, above in holes):
            continue
        slice_between = _interpolate(images, float(number))
        if lie.is_straight:
            values[index] = slice_between
            continue
        shift = np.array(
            [np.interp(number, np.arange(len(planes)), lie.shifts[:, axis]) for axis in (1, 0)]
        )
        start = (shift - low[::-1]) / first.spacing
        values[index] = affine_transform(
            slice_between,
            np.ones(2),
            offset=-start,
            output_shape=shape,
            order=1,
            mode="constant",
            cval=np.nan,
        )
    affine = np.eye(4)
    step = depths[1] - depths[0] if len(depths) > 1 else lie.step
    affine[:3, 0] = first.normal * step
    affine[:3, 1] = np.multiply(first.along_column, first.spacing[0])
    affine[:3, 2] = np.multiply(first.along_row, first.spacing[1])
    affine[:3, 3] = (
        np.array(first.position)
        + low[0] * np.array(first.along_row)
        + low[1] * np.array(first.along_column)
    )
    return values, affine


def _even_depths(lie: Lie, pixels: int) -> Floats:
    """Depths of an even grid: as fine as most slices are, and never of endless length."""
    depths = lie.depths
    if len(depths) < 2 or lie.is_even:
        return np.linspace(0.0, depths[-1], len(depths))
    # The finer of two thicknesses, which most often divides the other.
    step = max(float(np.quantile(np.diff(depths), 0.25)), 1e-3)
    most = max(min(_MOST_SLICES, _MOST_VOXELS // pixels), len(depths))
    count = min(round(depths[-1] / step) + 1, most)
    return np.linspace(0.0, depths[-1], max(count, 2))


def _interpolate(images: Sequence[Image], number: float) -> Image:
    below = min(max(int(number), 0), len(images) - 1)
    share = np.float32(number - below)
    if share < 1e-4 or below + 1 == len(images):
        return images[below]
    return np.asarray(images[below] * (1 - share) + images[below + 1] * share, np.float32)
