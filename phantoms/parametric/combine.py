"""Solids made from other solids."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np

from .points import Floats, Points, Solid


def _widened(box: Floats | None, margin: float) -> Floats | None:
    return None if box is None else box + np.array([[-margin], [margin]], np.float32)


def union(*solids: Solid, blend: float = 0.0) -> Solid:
    """Union; ``blend`` rounds the joints over about so many millimetres.

    The rounding is Quilez's polynomial smooth minimum. Distances hold near the surface only,
    and the first solid is the one evaluated everywhere: name the largest first.
    """
    boxes = [solid.box for solid in solids if solid.box is not None]
    box = None
    if len(boxes) == len(solids):
        box = np.stack([np.min([b[0] for b in boxes], 0), np.max([b[1] for b in boxes], 0)])

    margin = 2 * blend + 12

    def measure(points: Points) -> Floats:
        total = points.distance(solids[0]).copy()
        for solid in solids[1:]:
            window = (slice(None),) * total.ndim
            if solid.box is not None:
                # Farther away it cannot change what is near the surface.
                around = points.window(solid.box + np.array([[-margin], [margin]], np.float32))
                if around is None:
                    continue
                window = around
            other, first = points.crop(window).distance(solid), total[window]
            if blend:
                near = np.clip((other - first) * np.float32(0.5 / blend) + np.float32(0.5), 0, 1)
                joint = np.float32(blend) * near * (1 - near)
                total[window] = other + near * (first - other) - joint
            else:
                np.minimum(first, other, out=first)
        return total

    return Solid(measure, _widened(box, blend / 4))


def intersection(*solids: Solid) -> Solid:
    """What lies in all of the solids."""
    boxes = [solid.box for solid in solids if solid.box is not None]
    box = None
    if boxes:
        box = np.stack([np.max([b[0] for b in boxes], 0), np.min([b[1] for b in boxes], 0)])

    def measure(points: Points) -> Floats:
        first, *rest = (points.distance(solid) for solid in solids)
        for other in rest:
            first = np.maximum(first, other)
        return first

    return Solid(measure, box, edge=max(solid.edge for solid in solids))


def grown(solid: Solid, amount: float) -> Solid:
    """The solid grown (or, below 0, shrunk) by ``amount`` millimetres."""

    def measure(points: Points) -> Floats:
        return points.distance(solid) - np.float32(amount)

    return Solid(measure, _widened(solid.box, max(amount, 0.0)))


def outside(solid: Solid) -> Solid:
    """Everything that the solid is not."""
    return Solid(lambda points: -points.distance(solid))


def shell(solid: Solid, thickness: float, offset: float = 0.0) -> Solid:
    """A skin ``thickness`` millimetres thick, centred ``offset`` outside the solid's surface."""

    def measure(points: Points) -> Floats:
        return np.abs(points.distance(solid) - np.float32(offset)) - np.float32(thickness / 2)

    return Solid(measure, _widened(solid.box, max(offset, 0.0) + thickness))


def roughened(solid: Solid, field: Callable[[Points], Floats], amount: float) -> Solid:
    """The solid with its surface moved in and out by ``amount`` times a field of about ±1."""

    def measure(points: Points) -> Floats:
        return points.distance(solid) + np.float32(amount) * field(points)

    return Solid(measure, _widened(solid.box, 3 * abs(amount)))
