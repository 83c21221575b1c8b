"""Cutting the slice asked for out of volumes, wherever and however they lie."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy.ndimage import map_coordinates

from ...errors import DataError
from ...model.planes import AXES
from ...model.region import least_extent_mm


@dataclass(frozen=True, eq=False, kw_only=True)
class PlacedVolume:
    """Values on a grid in the patient.

    Attributes:
        values: ``[K, R, C]``.
        to_lps: Indices ``(k, r, c)`` to LPS mm, ``[4, 4]``.
    """

    values: NDArray[np.generic]
    to_lps: NDArray[np.float64]

    def corners(self) -> NDArray[np.float64]:
        """Corners of the box that the voxels fill, LPS mm, ``[8, 3]``."""
        ends = [(-0.5, size - 0.5) for size in self.values.shape]
        grid = np.stack(np.meshgrid(*ends, indexing="ij"), -1).reshape(-1, 3)
        return np.asarray(grid @ self.to_lps[:3, :3].T + self.to_lps[:3, 3])

    def on(self, points: NDArray[np.float64], *, order: int, outside: float) -> NDArray[np.float32]:
        """Sample at points.

        Args:
            points: LPS mm, ``[H, W, 3]``.
            order: 0 for the nearest voxel, 1 for linear interpolation.
            outside: Value beyond the volume.

        Returns:
            ``[H, W]``.
        """
        inverse = np.linalg.inv(self.to_lps)
        index = points @ inverse[:3, :3].T + inverse[:3, 3]
        limits = np.array(self.values.shape)
        inside = ((index >= -0.5) & (index <= limits - 0.5)).all(-1)
        values = map_coordinates(
            self.values.astype(np.float32), np.moveaxis(index, -1, 0), order=order, mode="nearest"
        )
        return np.where(inside, values, np.float32(outside)).astype(np.float32)


def slice_affine(
    volumes: Sequence[PlacedVolume], *, plane: str, position: float, body_part: str, size: int
) -> NDArray[np.float64]:
    """Place a square slice in volumes of one patient, as training slices lie in their scans.

    The position counts along the box of all volumes, or along the body region where that is
    longer (then the box is its middle). The slice's side is the box's longer side in the plane.

    Args:
        volumes: At least one.
        plane: ``axial``, ``coronal`` or ``sagittal``.
        position: In [0, 1].
        body_part: See :class:`~fedscan.model.description.Description`.
        size: Pixels along each side.

    Returns:
        Indices ``(slice, row, column)`` to LPS mm, ``[4, 4]``.

    Raises:
        DataError: If the slice lies beyond the volumes.
    """
    corners = np.concatenate([volume.corners() for volume in volumes])
    low, high = corners.min(0), corners.max(0)
    row, column, onwards = (np.array(axis, float) for axis in AXES[plane])
    extent, middle = high - low, (low + high) / 2
    length = float(np.abs(onwards) @ extent)
    whole = max(length, least_extent_mm(body_part, plane))
    offset = (position - 0.5) * whole
    if abs(offset) > length / 2:
        ends = (0.5 - length / whole / 2, 0.5 + length / whole / 2)
        raise DataError(
            f"The {plane} slice at {position:g} lies beyond the given volumes.",
            hint=f"They reach from {ends[0]:.2f} to {ends[1]:.2f}; choose --position between.",
        )
    pixel = float(max(np.abs(row) @ extent, np.abs(column) @ extent)) / size
    affine = np.eye(4)
    affine[:3, 0], affine[:3, 1], affine[:3, 2] = onwards * pixel, column * pixel, row * pixel
    affine[:3, 3] = middle + onwards * offset - (row + column) * pixel * (size - 1) / 2
    return affine


def pixel_centres(affine: NDArray[np.float64], size: int) -> NDArray[np.float64]:
    """Centres of a square slice's pixels in LPS mm, ``[size, size, 3]``."""
    rows, columns = np.indices((size, size))[..., None]
    return np.asarray(affine[:3, 3] + rows * affine[:3, 1] + columns * affine[:3, 2])
