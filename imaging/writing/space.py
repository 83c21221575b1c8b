"""Where generated pixels lie in space: the same rules for DICOM and NIfTI.

Coordinates are DICOM's patient coordinates (PS3.3 C.7.6.2.1.1): millimetres, x to the patient's
left, y to the back, z to the head. Images have fedscan's canonical orientation: rows run to the
left or to the back, columns to the back or to the feet.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from ...model.planes import AXES
from ...model.region import pixel_mm
from ..orientation import lps_to_ras


@dataclass(frozen=True, eq=False, kw_only=True)
class SliceGrid:
    """A stack of parallel slices somewhere in a patient.

    Attributes:
        to_lps: Indices (slice, row, column) to LPS mm, ``[4, 4]``.
    """

    to_lps: NDArray[np.float64]

    @classmethod
    def centred(
        cls, plane: str, shape: tuple[int, int, int], *, pixel_mm: float, slice_mm: float
    ) -> SliceGrid:
        """Lay slices around the origin.

        Args:
            plane: ``axial``, ``coronal`` or ``sagittal``.
            shape: Slices, rows, columns.
            pixel_mm: Distance of neighbouring pixels.
            slice_mm: Distance of neighbouring slices.
        """
        axes = AXES[plane]
        steps = np.array([axes.onwards, axes.column, axes.row], float).T
        steps *= [slice_mm, pixel_mm, pixel_mm]
        to_lps = np.eye(4)
        to_lps[:3, :3] = steps
        to_lps[:3, 3] = -steps @ ((np.array(shape) - 1) / 2)
        return cls(to_lps=to_lps)

    @property
    def spacing_mm(self) -> tuple[float, float]:
        """Distance of neighbouring rows and of neighbouring columns."""
        lengths = np.linalg.norm(self.to_lps[:3, 1:3], axis=0)
        return float(lengths[0]), float(lengths[1])

    @property
    def slice_mm(self) -> float:
        """Distance of neighbouring slices."""
        return float(np.linalg.norm(self.to_lps[:3, 0]))

    @property
    def row(self) -> NDArray[np.float64]:
        """Direction in which the column index grows, ``[3]``."""
        return np.asarray(self.to_lps[:3, 2] / self.spacing_mm[1])

    @property
    def column(self) -> NDArray[np.float64]:
        """Direction in which the row index grows, ``[3]``."""
        return np.asarray(self.to_lps[:3, 1] / self.spacing_mm[0])

    def corner(self, index: int = 0) -> NDArray[np.float64]:
        """Centre of a slice's first pixel in mm, ``[3]``."""
        return np.asarray(self.to_lps[:3, 3] + index * self.to_lps[:3, 0])

    def affine(self) -> NDArray[np.float64]:
        """Affine ``[4, 4]`` from (column, row, slice) to RAS+ mm, as NIfTI has it."""
        return lps_to_ras(self.to_lps[:, [2, 1, 0, 3]])

    def refined(self, factor: int) -> SliceGrid:
        """Return the grid with ``factor`` rows and columns for each, within the same bounds."""
        finer = np.diag([1.0, 1.0 / factor, 1.0 / factor, 1.0])
        finer[1:3, 3] = (1.0 / factor - 1.0) / 2.0
        return SliceGrid(to_lps=np.asarray(self.to_lps @ finer))


def grid_for(body_part: str, plane: str, shape: tuple[int, int, int], slice_mm: float) -> SliceGrid:
    """Return the grid of generated slices, whose field of view is that of the body part.

    Args:
        body_part: See :class:`~fedscan.model.description.Description`.
        plane: Plane of the slices; the empty string counts as axial.
        shape: Slices, rows, columns.
        slice_mm: Distance of neighbouring slices in mm.
    """
    pixel = pixel_mm(body_part, shape[2])
    return SliceGrid.centred(plane or "axial", shape, pixel_mm=pixel, slice_mm=slice_mm)
