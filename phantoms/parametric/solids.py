"""Solids as distance functions.

A solid's distance is negative inside, positive outside and about in millimetres near the
surface. Formulas of the approximations (ellipsoid, capsule): Quilez, "Distance functions".
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import ArrayLike, NDArray

from .points import Floats, Points, Solid

Vector = Sequence[float] | NDArray[np.floating]


def box_around(centre: ArrayLike, half: ArrayLike) -> Floats:
    """Return the box of a centre and half widths, float32 ``[2, 3]``."""
    middle, size = np.asarray(centre, np.float32), np.asarray(half, np.float32)
    return np.stack([middle - size, middle + size])


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
        x *= rx
        y *= ry
        z *= rz
        x *= x
        y *= y
        z *= z
        norm = np.sqrt(x + y + z)
        if square:
            box_norm = np.sqrt(np.sqrt(x * x + y * y + z * z))
            return (norm + np.float32(square) * (box_norm - norm) - 1) * smallest
        x *= rx * rx
        y *= ry * ry
        z *= rz * rz
        slope = np.sqrt(x + y + z) + np.float32(1e-6)
        return norm * (norm - 1) / slope

    axes = np.eye(3) if turn is None else turn
    spread = np.abs(axes) @ np.asarray(radii, float)
    if not square:
        spread = np.sqrt(axes**2 @ np.square(np.asarray(radii, float)))
    return Solid(measure, box_around((cx, cy, cz), spread))


def ball(centre: Vector, radius: float) -> Solid:
    """Ball of a radius in millimetres."""
    return ellipsoid(centre, (radius, radius, radius))


def segment(
    start: Vector, end: Vector, first: float, last: float, flat: Vector = (1, 1, 1)
) -> Solid:
    """Straight tube with round ends.

    Args:
        start: First end in millimetres.
        end: Other end.
        first: Radius at the first end.
        last: Radius at the other end.
        flat: Factors on the distance along x, y and z: above 1 flattens the tube.
    """
    origin, factor = np.asarray(start, np.float32), np.asarray(flat, np.float32)
    step = (np.asarray(end, np.float32) - origin) * factor
    direction = step / max(float(step @ step), 1e-6)
    first32, change = np.float32(first), np.float32(last - first)

    def measure(points: Points) -> Floats:
        x = (points.x - origin[0]) * factor[0]
        y = (points.y - origin[1]) * factor[1]
        z = (points.z - origin[2]) * factor[2]
        along = x * direction[0]
        along += y * direction[1]
        along += z * direction[2]
        np.clip(along, 0, 1, out=along)
        x -= along * step[0]
        y -= along * step[1]
        z -= along * step[2]
        x *= x
        y *= y
        z *= z
        x += y
        x += z
        np.sqrt(x, out=x)
        along *= change
        x -= along
        x -= first32
        return x

    ends = np.stack([origin, np.asarray(end, np.float32)])
    margin = max(first, last) / factor
    return Solid(measure, np.stack([ends.min(0) - margin, ends.max(0) + margin]))


def strands(
    path: Sequence[Vector], radii: float | Vector, flat: Vector = (1, 1, 1)
) -> tuple[Solid, ...]:
    """Tube along a polyline, as one solid per stretch: cheap to paint one by one.

    Args:
        path: Vertices in millimetres.
        radii: Radius in millimetres, or one per vertex.
        flat: Factors on the distance along x, y and z: above 1 flattens the tube.
    """
    sizes = np.broadcast_to(np.asarray(radii, float), len(path))
    return tuple(
        segment(path[i], path[i + 1], float(sizes[i]), float(sizes[i + 1]), flat)
        for i in range(len(path) - 1)
    )


def half_space(normal: Vector, offset: float) -> Solid:
    """All points with ``normal · p < offset``, ``normal`` taken at length 1."""
    n = np.asarray(normal, np.float32)
    n = n / np.linalg.norm(n)

    def measure(points: Points) -> Floats:
        parts = zip(n, (points.x, points.y, points.z), strict=True)
        total = sum((w * c for w, c in parts if w), start=np.float32(-offset))
        return np.asarray(total, np.float32)

    return Solid(measure)
