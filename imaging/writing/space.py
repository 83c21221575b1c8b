"""Where generated pixels lie in space: the same rules for DICOM and NIfTI.

Coordinates are DICOM's patient coordinates (PS3.3 C.7.6.2.1.1): millimetres, x to the patient's
left, y to the back, z to the head. Images have fedscan's canonical orientation: rows run to the
left or to the back, columns to the back or to the feet.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Protocol

import numpy as np
from numpy.typing import NDArray

from ...model.region import pixel_mm

#: Directions of a row and of a column, by plane.
_DIRECTIONS = {
    "axial": ((1, 0, 0), (0, 1, 0)),
    "coronal": ((1, 0, 0), (0, 0, -1)),
    "sagittal": ((0, 1, 0), (0, 0, -1)),
}
#: Towards higher slice positions, by plane: to the head, to the front, to the left.
_ONWARDS = {"axial": (0, 0, 1), "coronal": (0, -1, 0), "sagittal": (1, 0, 0)}


class Placement(Protocol):
    """A stack of parallel slices somewhere in a patient: what files need to know of it."""

    @property
    def spacing_mm(self) -> tuple[float, float]:
        """Distance of neighbouring rows and of neighbouring columns."""

    @property
    def slice_mm(self) -> float:
        """Distance of neighbouring slices."""

    @property
    def row(self) -> NDArray[np.float64]:
        """Direction in which the column index grows, ``[3]``."""

    @property
    def column(self) -> NDArray[np.float64]:
        """Direction in which the row index grows, ``[3]``."""

    def corner(self, index: int = 0) -> NDArray[np.float64]:
        """Centre of a slice's first pixel in mm, ``[3]``."""

    def affine(self) -> NDArray[np.float64]:
        """Affine ``[4, 4]`` from (column, row, slice) to RAS+ mm, as NIfTI has it."""


@dataclass(frozen=True, eq=False, kw_only=True)
class SourceGrid:
    """Slices that lie where those of a given scan lie.

    Attributes:
        to_lps: Indices (slice, row, column) to LPS mm, ``[4, 4]``.
    """

    to_lps: NDArray[np.float64]

    @property
    def spacing_mm(self) -> tuple[float, float]:
        """See :class:`Placement`."""
        lengths = np.linalg.norm(self.to_lps[:3, 1:3], axis=0)
        return float(lengths[0]), float(lengths[1])

    @property
    def slice_mm(self) -> float:
        """See :class:`Placement`."""
        return float(np.linalg.norm(self.to_lps[:3, 0]))

    @property
    def row(self) -> NDArray[np.float64]:
        """See :class:`Placement`."""
        return np.asarray(self.to_lps[:3, 2] / self.spacing_mm[1])

    @property
    def column(self) -> NDArray[np.float64]:
        """See :class:`Placement`."""
        return np.asarray(self.to_lps[:3, 1] / self.spacing_mm[0])

    def corner(self, index: int = 0) -> NDArray[np.float64]:
        """See :class:`Placement`."""
        return np.asarray(self.to_lps[:3, 3] + index * self.to_lps[:3, 0])

    def affine(self) -> NDArray[np.float64]:
        """See :class:`Placement`."""
        return np.asarray(np.diag([-1.0, -1.0, 1.0, 1.0]) @ self.to_lps[:, [2, 1, 0, 3]])

    def refined(self, factor: int) -> SourceGrid:
        """Return the grid with ``factor`` rows and columns for each, within the same bounds."""
        finer = np.diag([1.0, 1.0 / factor, 1.0 / factor, 1.0])
        finer[1:3, 3] = (1.0 / factor - 1.0) / 2.0
        return SourceGrid(to_lps=np.asarray(self.to_lps @ finer))


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
    def spacing_mm(self) -> tuple[float, float]:
        """Distance of neighbouring rows and of neighbouring columns."""
        return self.pixel_mm, self.pixel_mm

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
    return Grid(
        plane=plane or "axial",
        shape=shape,
        pixel_mm=pixel_mm(body_part, shape[2]),
        slice_mm=slice_mm,
    )
