"""Solids as distance functions, and the ways to combine them.

A solid's distance is negative inside, positive outside and about in millimetres near the
surface. Formulas of the approximations: Quilez, "Distance functions" (ellipsoid bound,
capsule, polynomial smooth minimum).
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

if TYPE_CHECKING:
    from .points import Points

Floats = NDArray[np.float32]
Vector = Sequence[float]


@dataclass(frozen=True, eq=False)
class Solid:
    """A solid in the patient.

    Attributes:
        measure: Distance of each point to the surface, negative inside, in millimetres.
        centre: Centre of a ball that holds the solid, or ``None`` where it is unbounded.
        reach: Radius of that ball.
        shared: Whether several others are built on it, so that its distance is kept.
        edge: Least width of its edge in millimetres; wide for hazy structures.
    """

    measure: Callable[[Points], Floats]
    centre: tuple[float, float, float] | None = None
    reach: float = 0.0
    shared: bool = False
    edge: float = 0.0

    def hazy(self, edge: float) -> Solid:
        """The same solid with an edge at least ``edge`` millimetres wide."""
        return replace(self, edge=edge)

    def kept(self) -> Solid:
        """The same solid, evaluated once per set of points."""
        return replace(self, centre=None, shared=True)


def rotation(yaw: float = 0.0, pitch: float = 0.0, roll: float = 0.0) -> NDArray[np.float64]:
    """Rotation matrix from angles in radians about z (yaw), x (pitch) and y (roll)."""
    cy, sy, cp, sp, cr, sr = (f(a) for a in (yaw, pitch, roll) for f in (np.cos, np.sin))
    about_z = np.array([[cy, -sy, 0], [sy, cy, 0], [0, 0, 1]])
    about_x = np.array([[1, 0, 0], [0, cp, -sp], [0, sp, cp]])
    about_y = np.array([[cr, 0, sr], [0, 1, 0], [-sr, 0, cr]])
    return about_z @ about_x @ about_y


def ellipsoid(
    centre: Vector,
    radii: Vector,
    turn: NDArray[np.float64] | None = None,
    square: float = 0.0,
) -> Solid:
    """Ellipsoid, or between it and a rounded box.

    Args:
        centre: Centre in millimetres.
        radii: Half axes in millimetres.
        turn: Rotation matrix from the solid's axes to the patient's.
        square: 0 for an ellipsoid, 1 for the superellipsoid of exponent 4.
    """
    cx, cy, cz = (np.float32(c) for c in centre)
    rx, ry, rz = (np.float32(1.0 / r) for r in radii)
    smallest = np.float32(min(radii))
    matrix = None if turn is None else turn.T.astype(np.float32)

    def measure(points: Points) -> Floats:
        x, y, z = points.x - cx, points.y - cy, points.z - cz
        if matrix is not None:
            x, y, z = (row[0] * x + row[1] * y + row[2] * z for row in matrix)
        x, y, z = (x * rx) ** 2, (y * ry) ** 2, (z * rz) ** 2
        norm = np.sqrt(x + y + z)
        if square:
            boxed = np.sqrt(np.sqrt(x * x + y * y + z * z))
            return (norm + np.float32(square) * (boxed - norm) - 1) * smallest
        slope = np.sqrt(x * (rx * rx) + y * (ry * ry) + z * (rz * rz))
        return norm * (norm - 1) / np.maximum(slope, np.float32(1e-6))

    return Solid(measure, (float(cx), float(cy), float(cz)), max(radii) * (1 + 0.5 * bool(square)))


def ball(centre: Vector, radius: float) -> Solid:
    """Ball of a radius in millimetres."""
    cx, cy, cz = (np.float32(c) for c in centre)

    def measure(points: Points) -> Floats:
        square = (points.x - cx) ** 2 + (points.y - cy) ** 2 + (points.z - cz) ** 2
        return np.sqrt(square) - np.float32(radius)

    return Solid(measure, (float(cx), float(cy), float(cz)), radius)


def tube(path: Sequence[Vector], radii: float | Sequence[float], flat: Vector = (1, 1, 1)) -> Solid:
    """Tube along a polyline, of one radius or of one radius per vertex.

    Args:
        path: Vertices in millimetres.
        radii: Radius in millimetres, or one per vertex.
        flat: Factors on the distance along x, y and z: above 1 flattens the tube.
    """
    nodes = np.asarray(path, np.float32)
    sizes = np.broadcast_to(np.asarray(radii, np.float32), len(nodes))
    factor = np.asarray(flat, np.float32)

    def measure(points: Points) -> Floats:
        nearest: Floats | None = None
        for start, end, first, last in zip(nodes, nodes[1:], sizes, sizes[1:], strict=False):
            step = (end - start) * factor
            x, y, z = (
                (c - s) * f
                for c, s, f in zip((points.x, points.y, points.z), start, factor, strict=True)
            )
            along = (x * step[0] + y * step[1] + z * step[2]) / max(float(step @ step), 1e-6)
            np.clip(along, 0, 1, out=along)
            square = (
                (x - along * step[0]) ** 2 + (y - along * step[1]) ** 2 + (z - along * step[2]) ** 2
            )
            here = np.sqrt(square) - (first + along * (last - first))
            nearest = here if nearest is None else np.minimum(nearest, here)
        assert nearest is not None
        return nearest

    middle = (nodes.min(0) + nodes.max(0)) / 2
    reach = float(np.linalg.norm(nodes - middle, axis=1).max() + sizes.max())
    return Solid(measure, (float(middle[0]), float(middle[1]), float(middle[2])), reach)


def half_space(normal: Vector, offset: float) -> Solid:
    """All points with ``normal · p < offset``; ``normal`` of any length."""
    n = np.asarray(normal, np.float32)
    n = n / np.linalg.norm(n)

    def measure(points: Points) -> Floats:
        return n[0] * points.x + n[1] * points.y + n[2] * points.z - np.float32(offset)

    return Solid(measure)


def union(*solids: Solid, blend: float = 0.0) -> Solid:
    """Union; ``blend`` rounds the joints over about so many millimetres."""

    def measure(points: Points) -> Floats:
        first, *rest = (points.distance(solid) for solid in solids)
        for other in rest:
            if blend:
                near = np.clip(0.5 + (other - first) * np.float32(0.5 / blend), 0, 1)
                first = other + near * (first - other) - np.float32(blend) * near * (1 - near)
            else:
                first = np.minimum(first, other)
        return first

    return Solid(measure)


def intersection(*solids: Solid) -> Solid:
    """What lies in all of the solids; bounded by the smallest of them."""
    bounded = [solid for solid in solids if solid.centre is not None]
    smallest = min(bounded, key=lambda solid: solid.reach, default=Solid(solids[0].measure))

    def measure(points: Points) -> Floats:
        first, *rest = (points.distance(solid) for solid in solids)
        for other in rest:
            first = np.maximum(first, other)
        return first

    return Solid(measure, smallest.centre, smallest.reach)


def grown(solid: Solid, amount: float) -> Solid:
    """The solid grown (or, below 0, shrunk) by ``amount`` millimetres."""

    def measure(points: Points) -> Floats:
        return points.distance(solid) - np.float32(amount)

    return Solid(measure, solid.centre, solid.reach + max(amount, 0.0))


def outside(solid: Solid) -> Solid:
    """Everything that the solid is not."""

    def measure(points: Points) -> Floats:
        return -points.distance(solid)

    return Solid(measure)


def shell(solid: Solid, thickness: float) -> Solid:
    """The solid's skin, ``thickness`` millimetres thick and centred on its surface."""

    def measure(points: Points) -> Floats:
        return np.abs(points.distance(solid)) - np.float32(thickness / 2)

    return Solid(measure, solid.centre, solid.reach + thickness)


def roughened(solid: Solid, field: Callable[[Points], Floats], amount: float) -> Solid:
    """The solid with its surface moved in and out by ``amount`` times a field of about ±1."""

    def measure(points: Points) -> Floats:
        return points.distance(solid) + np.float32(amount) * field(points)

    return Solid(measure, solid.centre, solid.reach + 3 * abs(amount))
