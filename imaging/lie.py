"""How the slices of a stack lie to each other: depths, gaps, and shifts in their plane."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from .dicom.geometry import Plane, slice_step, stack_affine

Floats = NDArray[np.float64]

#: Depths may leave an even grid by this share of a step.
_EVEN = 0.1
#: Slices may be shifted in their plane by this share of a pixel and still count as stacked
#: straight.
_STRAIGHT = 0.5
#: A gap is a hole, of which nothing is known, if it is wider than so many steps, than so many
#: slices are thick, and than this in mm.
_HOLE_STEPS, _HOLE_SLICES, _HOLE_MM = 4.0, 1.5, 10.0


@dataclass(frozen=True, eq=False)
class Lie:
    """The places of a stack's slices, all alike but for the position.

    Attributes:
        planes: Ordered by depth, at least one.
        depths: Distances from the first along the normal, mm, ``[K]``, rising.
        shifts: Shifts from the first along rows and along columns, mm, ``[K, 2]``.
    """

    planes: Sequence[Plane]
    depths: Floats
    shifts: Floats

    @classmethod
    def of(cls, planes: Sequence[Plane]) -> Lie:
        """Measure how planes lie."""
        first = planes[0]
        offsets = np.array([plane.position for plane in planes]) - first.position
        inside = np.array([first.along_row, first.along_column])
        return cls(planes, np.asarray(offsets @ first.normal), np.asarray(offsets @ inside.T))

    @property
    def step(self) -> float:
        """Typical distance of neighbours, mm."""
        return slice_step(self.planes)

    @property
    def is_straight(self) -> bool:
        """Whether slices lie one upon another; those of a tilted gantry are shifted."""
        return bool(np.ptp(self.shifts, axis=0).max() <= _STRAIGHT * max(self.planes[0].spacing))

    @property
    def is_even(self) -> bool:
        """Whether the slices are evenly spaced."""
        if len(self.depths) < 3:
            return True
        even = np.linspace(0.0, self.depths[-1], len(self.depths))
        return bool(np.abs(self.depths - even).max() <= _EVEN * even[1])

    @property
    def onwards(self) -> Floats:
        """Direction in which slices follow each other, unit vector ``[3]``."""
        first = self.planes[0]
        if len(self.depths) < 2:
            return first.normal
        # Slopes through the first slice by least squares: last digits do not count.
        slope = self.depths @ self.shifts / (self.depths @ self.depths)
        onwards = (
            first.normal
            + slope[0] * np.array(first.along_row)
            + slope[1] * np.array(first.along_column)
        )
        return np.asarray(onwards / np.linalg.norm(onwards))

    def holes(self) -> list[tuple[float, float]]:
        """Gaps where slices are missing, as depths from and to, mm."""
        holes = []
        for index, (low, high) in enumerate(zip(self.depths, self.depths[1:], strict=False)):
            thick = max(plane.thickness for plane in self.planes[index : index + 2])
            if high - low > max(_HOLE_STEPS * self.step, _HOLE_SLICES * thick, _HOLE_MM):
                holes.append((float(low), float(high)))
        return holes

    def index_of(self, points: Floats) -> Floats:
        """Find where points lie in the stack.

        Args:
            points: LPS mm, ``[..., 3]``.

        Returns:
            Indices (slice, row, column) with fractions, ``[..., 3]``. Between two slices they
            run straight from a pixel of the one to the same pixel of the other. Below the first
            slice and above the last they run on by the typical step.
        """
        first = self.planes[0]
        offsets = points - np.array(first.position)
        slices = self.slice_at(offsets @ first.normal)
        numbers = np.arange(len(self.depths))
        beyond = (slices - np.clip(slices, 0, numbers[-1])) * self.step
        drift = self.onwards / (self.onwards @ first.normal)
        result = np.empty(points.shape)
        result[..., 0] = slices
        for axis, (direction, spacing) in enumerate(
            ((first.along_column, first.spacing[0]), (first.along_row, first.spacing[1])), 1
        ):
            shift = np.interp(slices, numbers, self.shifts[:, 2 - axis])
            shift += beyond * (drift @ np.array(direction))
            result[..., axis] = (offsets @ np.array(direction) - shift) / spacing
        return result

    def slice_at(self, depths: Floats) -> Floats:
        """Turn depths from the first slice, mm, into slice numbers with fractions."""
        numbers = np.arange(len(self.depths), dtype=np.float64)
        inside = np.interp(depths, self.depths, numbers)
        last = self.depths[-1]
        outside = np.minimum(depths, 0.0) + np.maximum(depths - last, 0.0)
        return np.asarray(inside + outside / self.step)

    def affine(self) -> Floats:
        """Map indices (slice, row, column) of an even, straight stack to LPS mm, ``[4, 4]``."""
        return stack_affine(self.planes)
