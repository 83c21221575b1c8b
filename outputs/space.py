"""Where generated pixels lie in space: the same rules for DICOM and NIfTI.

Coordinates are DICOM's patient coordinates (PS3.3 C.7.6.2.1.1): millimetres, x to the patient's
left, y to the back, z to the head. Images have fedscan's canonical orientation: rows run to the
left or to the back, columns to the back or to the feet.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

#: Directions of a row and of a column, by plane.
_DIRECTIONS = {
    "axial": ((1, 0, 0), (0, 1, 0)),
    "coronal": ((1, 0, 0), (0, 0, -1)),
    "sagittal": ((0, 1, 0), (0, 0, -1)),
}
#: Towards higher slice positions, by plane: to the head, to the front, to the left.
_ONWARDS = {"axial": (0, 0, 1), "coronal": (0, -1, 0), "sagittal": (1, 0, 0)}
#: Side of the square that an image shows, in mm, where nothing else is known.
FIELD_OF_VIEW = {"head": 256.0, "neck": 256.0, "limb": 256.0}
_BODY_FIELD_OF_VIEW = 400.0


@dataclass(frozen=True, kw_only=True)
class Grid:
    """A stack of parallel slices.

    Attributes:
        plane: ``axial``, ``coronal`` or ``sagittal``.
        shape: Slices, rows, columns.
        pixel_mm: Distance of neighbouring pixels.
        slice_mm: Distance of neighbouring slices.
    """

    plane: str
    shape: tuple[int, int, int]
    pixel_mm: float
    slice_mm: float

    @property
    def row(self) -> NDArray[np.float64]:
        """Direction in which the column index grows, ``[3]``."""
        return np.array(_DIRECTIONS[self.plane][0], float)

    @property
    def column(self) -> NDArray[np.float64]:
        """Direction in which the row index grows, ``[3]``."""
        return np.array(_DIRECTIONS[self.plane][1], float)

    @property
    def onwards(self) -> NDArray[np.float64]:
        """Direction in which the slice index grows, ``[3]``."""
        return np.array(_ONWARDS[self.plane], float)

    def corner(self, index: int = 0) -> NDArray[np.float64]:
        """Return the centre of a slice's first pixel in mm, ``[3]``; the origin is the middle."""
        slices, rows, columns = self.shape
        along = self.onwards * (index - (slices - 1) / 2) * self.slice_mm
        across = self.row * (columns - 1) / 2 + self.column * (rows - 1) / 2
        return np.asarray(along - across * self.pixel_mm)

    def affine(self) -> NDArray[np.float64]:
        """Return the affine ``[4, 4]`` from (column, row, slice) to RAS+ mm, as NIfTI has it."""
        matrix = np.eye(4)
        matrix[:3, 0] = self.row * self.pixel_mm
        matrix[:3, 1] = self.column * self.pixel_mm
        matrix[:3, 2] = self.onwards * self.slice_mm
        matrix[:3, 3] = self.corner()
        return np.diag([-1.0, -1.0, 1.0, 1.0]) @ matrix


def grid_for(body_part: str, plane: str, shape: tuple[int, int, int], slice_mm: float) -> Grid:
    """Return the grid of generated slices, whose field of view is that of the body part.

    Args:
        body_part: See :class:`~fedscan.model.description.Description`.
        plane: Plane of the slices; the empty string counts as axial.
        shape: Slices, rows, columns.
        slice_mm: Distance of neighbouring slices in mm.
    """
    side = FIELD_OF_VIEW.get(body_part, _BODY_FIELD_OF_VIEW)
    return Grid(plane=plane or "axial", shape=shape, pixel_mm=side / shape[2], slice_mm=slice_mm)
