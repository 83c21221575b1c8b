"""Volumes of a tilted gantry, set upright: its slices are shifted and so no box of voxels."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy.ndimage import map_coordinates

from ..lie import Floats, Lie


@dataclass(frozen=True, eq=False)
class Upright:
    """An isotropic grid whose first axis is the direction in which a stack's slices follow.

    Attributes:
        shape: Voxels along each axis.
        pixel: Their side, mm.
        to_lps: Indices to LPS mm, ``[4, 4]``.
    """

    shape: tuple[int, ...]
    pixel: float
    to_lps: Floats

    @classmethod
    def around(cls, lie: Lie, shape: tuple[int, int], image_size: int) -> Upright:
        """Lay a grid around a stack: as along the table, so that nothing leans.

        Args:
            lie: The stack.
            shape: Rows and columns of its slices.
            image_size: Voxels along the longest side.
        """
        first = lie.planes[0]
        onwards = lie.onwards
        across = _without(np.array(first.along_row), onwards)
        down = _without(_without(np.array(first.along_column), onwards), across)
        axes = np.array([onwards, down, across])
        steps = np.array([lie.step, *first.spacing])
        ends = (np.array(shape) - 1) * first.spacing
        corners = [
            np.array(plane.position)
            + row * np.array(first.along_column)
            + column * np.array(first.along_row)
            for plane in lie.planes
            for row in (0.0, ends[0])
            for column in (0.0, ends[1])
        ]
        points = np.array(corners) @ axes.T
        low, high = points.min(0) - steps / 2, points.max(0) + steps / 2
        pixel = float((high - low).max()) / image_size
        size = np.maximum(1, np.rint((high - low) / pixel)).astype(int)
        affine = np.eye(4)
        affine[:3, :3] = axes.T * pixel
        affine[:3, 3] = axes.T @ ((low + high) / 2 - (size - 1) / 2 * pixel)
        return cls(tuple(size.tolist()), pixel, affine)

    def sample(
        self,
        images: Sequence[NDArray[np.generic]],
        lie: Lie,
        shape: tuple[int, int],
        *,
        order: int,
        outside: float,
    ) -> NDArray[np.float32]:
        """Sample a stack on the grid.

        Args:
            images: Its slices, of any size in pixels.
            lie: Where they lie.
            shape: Rows and columns that its planes count in.
            order: 0 for the nearest voxel, 1 for linear interpolation.
            outside: Value where the stack shows nothing.
        """
        volume = np.stack(images).astype(np.float32)
        scale = np.array([1.0, *np.divide(volume.shape[1:], shape)])
        limits = np.array(volume.shape)
        result = np.full(self.shape, outside, np.float32)
        grid = np.stack(np.meshgrid(*map(np.arange, self.shape[1:]), indexing="ij"), -1)
        inside_plane = grid @ self.to_lps[:3, 1:3].T + self.to_lps[:3, 3]
        for number in range(self.shape[0]):  # a layer at a time: points are many
            index = lie.index_of(inside_plane + number * self.to_lps[:3, 0])
            index = (index + 0.5) * scale - 0.5
            inside = ((index >= -0.5) & (index <= limits - 0.5)).all(-1)
            values = map_coordinates(
                volume, np.moveaxis(index, -1, 0), order=order, mode="nearest", output=np.float32
            )
            result[number][inside] = values[inside]
        return result


def _without(vector: Floats, direction: Floats) -> Floats:
    """Take a direction out of a vector and give it length 1."""
    rest = vector - (vector @ direction) * direction
    return np.asarray(rest / np.linalg.norm(rest))
