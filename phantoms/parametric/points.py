"""Points in the patient, at which anatomy is evaluated, and the canvas it is painted on.

Coordinates are millimetres in the patient's frame: x to the patient's left, y to the back,
z to the head. Anatomy is a list of solids given by distance functions, so a slice costs only
its own pixels, at any size and in any orientation, and no volume needs to exist.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray

from .solids import Solid

Floats = NDArray[np.float32]
Window = tuple[slice, ...]


@dataclass(eq=False)
class Points:
    """Sample points on a (possibly warped) grid of any number of axes.

    Attributes:
        x: Coordinates to the patient's left, any shape.
        y: Coordinates to the back, same shape.
        z: Coordinates to the head, same shape.
        soft: Millimetres over which edges are smoothed (the distance between samples).
        fine: Like ``soft``, for structures whose thickness lies across the image plane.
    """

    x: Floats
    y: Floats
    z: Floats
    soft: float
    fine: float
    _parent: tuple[Points, Window] | None = None
    _shared: dict[int, Floats] = field(default_factory=dict)
    _ranges: list[tuple[Floats, Floats]] = field(default_factory=list)

    def window(self, centre: Sequence[float], reach: float) -> Window | None:
        """Find the part of the grid that can lie within ``reach`` of ``centre``.

        Returns:
            One slice per axis, or ``None`` where no sample can lie so near.
        """
        if not self._ranges:
            self._measure()
        low = np.asarray(centre, np.float32) - reach
        high = np.asarray(centre, np.float32) + reach
        slices = []
        for lows, highs in self._ranges:
            hits = np.flatnonzero(((lows <= high[:, None]) & (highs >= low[:, None])).all(axis=0))
            if hits.size == 0:
                return None
            slices.append(slice(int(hits[0]), int(hits[-1]) + 1))
        return tuple(slices)

    def _measure(self) -> None:
        for axis in range(self.x.ndim):
            others = tuple(other for other in range(self.x.ndim) if other != axis)
            self._ranges.append(
                (
                    np.stack([c.min(axis=others) for c in (self.x, self.y, self.z)]),
                    np.stack([c.max(axis=others) for c in (self.x, self.y, self.z)]),
                )
            )

    def crop(self, window: Window) -> Points:
        """Return the points of a window; shared solids are looked up in the whole."""
        x, y, z = self.x[window], self.y[window], self.z[window]
        return Points(x, y, z, self.soft, self.fine, (self, window))

    def distance(self, solid: Solid, window: Window | None = None) -> Floats:
        """Evaluate a solid's distance, keeping the result of solids marked as shared."""
        if solid.shared and self._parent is not None:
            parent, part = self._parent
            return parent.distance(solid)[part]
        if solid.shared:
            if id(solid) not in self._shared:
                self._shared[id(solid)] = solid.measure(self)
            whole = self._shared[id(solid)]
            return whole if window is None else whole[window]
        return solid.measure(self if window is None else self.crop(window))


class Canvas:
    """Accumulates tissue values and labels while solids are painted over each other.

    Args:
        points: Where the samples lie.
        channels: Number of values per sample.
        background: Value of each channel outside everything.

    Attributes:
        values: float32 ``[channels, *shape]``.
        labels: uint8 ``[*shape]``, codes of ``conditions.LABEL``.
    """

    def __init__(self, points: Points, background: Floats) -> None:
        self.points = points
        shape = points.x.shape
        self.values = np.empty((len(background), *shape), np.float32)
        self.values[:] = background.reshape(-1, *(1 for _ in shape))
        self.labels = np.zeros(shape, np.uint8)

    def paint(self, solid: Solid, values: Floats, label: int | None, alpha: float = 1.0) -> None:
        """Paint one solid over what is there, with an edge as soft as the sampling.

        Args:
            solid: What to paint.
            values: float32 ``[channels]``.
            label: Code for the samples inside; ``None`` leaves the labels as they are.
            alpha: Opacity in (0, 1].
        """
        points = self.points
        window: Window | None = None
        if solid.centre is not None:
            window = points.window(solid.centre, solid.reach + points.soft)
            if window is None:
                return
        distance = points.distance(solid, window)
        weight = distance * np.float32(-1.0 / max(points.soft, solid.edge))
        weight += np.float32(0.5)
        np.clip(weight, 0.0, 1.0, out=weight)
        if alpha != 1.0:
            weight *= np.float32(alpha)
        where = ... if window is None else window
        for channel, value in enumerate(values):
            view = self.values[channel][where]
            view += weight * (value - view)
        if label is not None:
            self.labels[where][distance < 0] = label
