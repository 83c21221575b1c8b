"""The three planes: where rows, columns and further slices of each lead in a patient.

Coordinates are DICOM's patient coordinates (PS3.3 C.7.6.2.1.1), "LPS": x to the patient's left,
y to the back, z to the head. A slice is shown as a radiologist reads it: axial ones with the front
in row 0 and the patient's right in column 0, the others with the head in row 0.
"""

from __future__ import annotations

from typing import NamedTuple

Direction = tuple[int, int, int]


class PlaneAxes(NamedTuple):
    """Directions in LPS.

    Attributes:
        row: In which the column index grows.
        column: In which the row index grows.
        onwards: In which the slice position grows.
    """

    row: Direction
    column: Direction
    onwards: Direction


#: In the order in which sizes of a region are listed: feet to head, back to front, right to left.
AXES = {
    "axial": PlaneAxes((1, 0, 0), (0, 1, 0), (0, 0, 1)),
    "coronal": PlaneAxes((1, 0, 0), (0, 0, -1), (0, -1, 0)),
    "sagittal": PlaneAxes((0, 1, 0), (0, 0, -1), (1, 0, 0)),
}
PLANES = tuple(AXES)
#: Name of the plane whose normal points along x, y or z.
PLANE_ACROSS = ("sagittal", "coronal", "axial")


def stacking_axis(plane: str) -> int:
    """Return the axis of a volume ``[Z, Y, X]`` that slices of a plane follow each other along."""
    return PLANES.index(plane)
