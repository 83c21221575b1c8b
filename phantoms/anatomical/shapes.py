"""Simple solids as signed distances (mm, negative inside), and how to paint with them."""

from __future__ import annotations

from collections.abc import Sequence
from functools import reduce

import numpy as np
from numpy.typing import NDArray

Field = NDArray[np.float32]
Axes = tuple[Field, ...]
#: A point as (left, posterior, superior) in mm.
Point = tuple[float, float, float]


def ellipsoid(axes: Axes, centre: Point, radii: Point) -> Field:
    """Approximate signed distance to an ellipsoid (exact for spheres)."""
    z, y, x = axes
    norm = np.sqrt(
        ((x - centre[0]) / radii[0]) ** 2
        + ((y - centre[1]) / radii[1]) ** 2
        + ((z - centre[2]) / radii[2]) ** 2
    )
    return np.asarray((norm - 1.0) * min(radii), np.float32)


def cone(axes: Axes, start: Point, end: Point, start_radius: float, end_radius: float) -> Field:
    """Signed distance to a round-ended cone from ``start`` to ``end``."""
    z, y, x = axes
    left, back, up = (e - s for s, e in zip(start, end, strict=True))
    length = left * left + back * back + up * up
    x, y, z = x - start[0], y - start[1], z - start[2]
    along = z * up + y * back + x * left
    share = np.clip(along / length, 0.0, 1.0)
    square = (z * z + y * y + x * x) - share * (2.0 * along - share * length)
    radius = start_radius + share * (end_radius - start_radius)
    return np.asarray(np.sqrt(np.maximum(square, 0.0)) - radius, np.float32)


def mirrored(point: Point) -> tuple[Point, Point]:
    """The point on the left and on the right."""
    return point, (-point[0], point[1], point[2])


def blend(fields: Sequence[Field], softness: float) -> Field:
    """Union of solids with edges rounded over ``softness`` mm (polynomial smooth minimum)."""
    result = fields[0]
    for field in fields[1:]:
        mix = np.maximum(softness - np.abs(result - field), 0.0) / softness
        result = np.minimum(result, field) - mix**2 * (softness / 4.0)
    return np.asarray(result, np.float32)


def intersection(*fields: NDArray[np.floating]) -> Field:
    """What lies within all the solids."""
    return np.asarray(reduce(np.maximum, fields), np.float32)


class Tissues:
    """Tissue fractions that add up to at most one; the rest is air.

    Later paint covers earlier paint. The edge of what is painted is as soft as a voxel is
    wide, so that thin layers keep their share of a voxel.

    Args:
        names: The tissues, in the order of the first axis of :attr:`fractions`.
        shape: Grid shape.
        spacing: Grid spacing in mm.

    Attributes:
        fractions: float32 ``[tissues, Z, Y, X]``.
    """

    def __init__(self, names: Sequence[str], shape: tuple[int, ...], spacing: float) -> None:
        self.names = tuple(names)
        self.spacing = spacing
        self.fractions = np.zeros((len(self.names), *shape), np.float32)

    def occupancy(self, distance: Field) -> Field:
        """Share of each voxel inside a solid."""
        return np.asarray(np.clip(0.5 - distance / self.spacing, 0.0, 1.0), np.float32)

    def paint(self, share: Field, **mixture: float | Field) -> None:
        """Cover ``share`` of each voxel by a mixture of tissues; what it lacks of one is air."""
        self.fractions *= 1.0 - share
        for name, part in mixture.items():
            self.fractions[self.names.index(name)] += share * part

    def __getitem__(self, name: str) -> Field:
        return self.fractions[self.names.index(name)]
