"""Where slices lie in the patient: planes, stacks and affines.

Coordinates are DICOM's patient coordinates in mm (PS3.3 C.7.6.2.1.1): x towards the
patient's left, y towards the back (posterior), z towards the head (superior), "LPS".
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from pydicom import Dataset

from ...model.planes import PLANE_ACROSS
from .fields import first_number, numbers

Vector = tuple[float, ...]

#: Header keywords that a place and a size are read from.
PLACED_BY = (
    "ImageOrientationPatient", "ImagePositionPatient", "ImagerPixelSpacing", "PixelAspectRatio",
    "PixelSpacing", "SliceThickness", "SpacingBetweenSlices",
)  # fmt: skip


#: No part of a patient lies farther from a scanner's origin, mm.
_FARTHEST_MM = 1e5


@dataclass(frozen=True, slots=True)
class Plane:
    """One slice's place in the patient.

    Attributes:
        position: Centre of the first pixel, mm.
        along_row: Unit vector of increasing column index.
        along_column: Unit vector of increasing row index.
        spacing: Distance between rows and between columns, mm.
        thickness: Slice thickness or spacing, mm; 0 if not given.
    """

    position: Vector
    along_row: Vector
    along_column: Vector
    spacing: tuple[float, float]
    thickness: float = 0.0

    @property
    def normal(self) -> NDArray[np.float64]:
        """Unit normal, turned towards the patient's left, back or head."""
        normal = np.cross(self.along_row, self.along_column)
        return np.asarray(normal * np.sign(normal[self.across]))

    @property
    def across(self) -> int:
        """Axis (0, 1, 2 for x, y, z) nearest to the normal."""
        return int(np.argmax(np.abs(np.cross(self.along_row, self.along_column))))

    @property
    def name(self) -> str:
        """Nearest anatomical plane."""
        (a, b, c), (d, e, f) = self.along_row, self.along_column
        across = (abs(b * f - c * e), abs(c * d - a * f), abs(a * e - b * d))
        return PLANE_ACROSS[across.index(max(across))]

    @property
    def depth(self) -> float:
        """Distance of the slice from the origin along its normal, mm."""
        return float(np.dot(self.normal, self.position))


def pixel_spacing(ds: Dataset) -> tuple[float, float] | None:
    """Return the distance between a slice's rows and columns in mm; ``None`` if unreadable."""
    return _pair(ds, "PixelSpacing")


def picture_spacing(ds: Dataset) -> tuple[float, float]:
    """Return the distance between a projection's rows and columns; (1, 1) if nothing is given.

    Projections may only know the spacing on the detector or the pixels' aspect ratio;
    either keeps the picture's proportions.
    """
    for keyword in ("PixelSpacing", "ImagerPixelSpacing", "PixelAspectRatio"):
        if (spacing := _pair(ds, keyword)) is not None:
            return spacing
    return 1.0, 1.0


def _pair(ds: Dataset, keyword: str) -> tuple[float, float] | None:
    spacing = numbers(ds, keyword, 2)
    if spacing is None or not (min(spacing) > 1e-3 and max(spacing) < 1e3):
        return None
    return spacing[0], spacing[1]


def plane_of(ds: Dataset) -> Plane | None:
    """Read a slice's plane from a flat header; ``None`` if it is absent or degenerate."""
    cosines = numbers(ds, "ImageOrientationPatient", 6)
    position = numbers(ds, "ImagePositionPatient", 3)
    spacing = pixel_spacing(ds)
    if cosines is None or position is None or spacing is None:
        return None
    row, column = cosines[:3], cosines[3:]
    lengths = [sum(value * value for value in vector) ** 0.5 for vector in (row, column)]
    across = abs(sum(a * b for a, b in zip(row, column, strict=True)))
    if any(abs(length - 1) > 0.05 for length in lengths) or across > 0.05:
        return None
    if max(map(abs, position)) > _FARTHEST_MM:
        return None
    return Plane(
        position=position,
        along_row=tuple(value / lengths[0] for value in row),
        along_column=tuple(value / lengths[1] for value in column),
        spacing=spacing,
        thickness=_thickness(ds),
    )


def _thickness(ds: Dataset) -> float:
    """Return the first of spacing and thickness that a scanner can have, mm; 0 if none is."""
    for keyword in ("SpacingBetweenSlices", "SliceThickness"):
        value = abs(first_number(ds, keyword) or 0.0)
        if 1e-3 < value < 1e3:
            return value
    return 0.0


def slice_step(planes: Sequence[Plane]) -> float:
    """Return the typical distance between neighbouring slices in mm (sorted by depth)."""
    if len(planes) > 1:
        depths = np.array([plane.depth for plane in planes])
        return max(float(np.median(np.abs(np.diff(depths)))), 1e-3)
    return planes[0].thickness or max(planes[0].spacing)


def stack_affine(planes: Sequence[Plane]) -> NDArray[np.float64]:
    """Map indices ``(slice, row, column)`` of a stack sorted by depth to LPS mm.

    Args:
        planes: Planes in the order of the stack's slices, all alike but for the position.

    Returns:
        Affine ``[4, 4]``. A gantry tilt, which shifts slices within their plane, is kept
        as shear.
    """
    first, last = planes[0], planes[-1]
    if len(planes) > 1:
        step = np.subtract(last.position, first.position) / (len(planes) - 1)
    else:
        step = first.normal * slice_step(planes)
    affine = np.eye(4)
    affine[:3, 0] = step
    affine[:3, 1] = np.multiply(first.along_column, first.spacing[0])
    affine[:3, 2] = np.multiply(first.along_row, first.spacing[1])
    affine[:3, 3] = first.position
    return affine
