"""Points in the patient, and the solids whose distance is evaluated at them.

Coordinates are millimetres in the patient's frame: x to the patient's left, y to the back,
z to the head. Anatomy is a list of solids given by distance functions, so a slice costs only
its own pixels, at any size and in any orientation, and no volume needs to exist.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field, replace

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.float32]
Window = tuple[slice, ...]


@dataclass(eq=False)
class Points:
    """Sample points on a (possibly warped) grid of any number of axes.

    Attributes:
        x: Coordinates to the patient's left, any shape.
        y: Coordinates to the back, same shape.
        z: Coordinates to the head, same shape.
        soft: Millimetres over which edges are smoothed: about the distance between samples.
    """

    x: Floats
    y: Floats
    z: Floats
    soft: float
    _parent: tuple[Points, Window] | None = None
    _values: dict[int, Floats] = field(default_factory=dict)
    _ranges: list[tuple[Floats, Floats]] = field(default_factory=list)

    def window(self, box: Floats) -> Window | None:
        """Find the part of the grid that can lie within a box.

        Args:
            box: float32 ``[2, 3]``, lower and upper corner.

        Returns:
            One slice per axis, or ``None`` where no sample lies in the box.
        """
        slices = []
        for lows, highs in self._extents():
            hits = np.flatnonzero(((lows <= box[1]) & (highs >= box[0])).all(axis=1))
            if hits.size == 0:
                return None
            slices.append(slice(int(hits[0]), int(hits[-1]) + 1))
        return tuple(slices)

    def near(self, boxes: Floats) -> NDArray[np.intp]:
        """Indices of the boxes (``[n, 2, 3]``) that any sample may lie in."""
        lows, highs = self._extents()[0]
        low, high = lows.min(0) - self.soft, highs.max(0) + self.soft
        return np.flatnonzero(((boxes[:, 0] <= high) & (boxes[:, 1] >= low)).all(axis=1))

    def _extents(self) -> list[tuple[Floats, Floats]]:
        """Least and greatest coordinates along each axis of the grid, ``[n, 3]`` each."""
        if not self._ranges:
            for axis in range(self.x.ndim):
                others = tuple(other for other in range(self.x.ndim) if other != axis)
                coordinates = (self.x, self.y, self.z)
                lows = np.stack([c.min(axis=others) for c in coordinates], axis=1)
                highs = np.stack([c.max(axis=others) for c in coordinates], axis=1)
                self._ranges.append((lows, highs))
        return self._ranges

    def crop(self, window: Window) -> Points:
        """Return the points of a window; shared solids are looked up in the whole."""
        x, y, z = self.x[window], self.y[window], self.z[window]
        return Points(x, y, z, self.soft, (self, window))

    def distance(self, solid: Solid) -> Floats:
        """Evaluate a solid's distance, keeping the result of solids marked as shared."""
        if not solid.shared:
            return solid.measure(self)
        if self._parent is not None:
            parent, part = self._parent
            return parent.distance(solid)[part]
        if id(solid) not in self._values:
            self._values[id(solid)] = solid.measure(self)
        return self._values[id(solid)]


@dataclass(frozen=True, eq=False)
class Solid:
    """A solid in the patient.

    Attributes:
        measure: Distance of each point to the surface, negative inside, in millimetres.
        box: float32 ``[2, 3]``, the lower and upper corner of a box that holds the solid,
            or ``None`` where it is unbounded.
        shared: Whether several others are built on it, so that its distance is kept.
        edge: Least width of its edge in millimetres; wide for hazy structures.
    """

    measure: Callable[[Points], Floats]
    box: Floats | None = None
    shared: bool = False
    edge: float = 0.0

    def hazy(self, edge: float) -> Solid:
        """Return the same solid with an edge at least ``edge`` millimetres wide."""
        return replace(self, edge=edge)

    def kept(self) -> Solid:
        """Return the same solid, evaluated once per set of points."""
        return replace(self, shared=True)
