"""Between coordinates: DICOM's (LPS) and NIfTI's (RAS), and volumes turned to one orientation."""

from __future__ import annotations

import numpy as np
from nibabel.orientations import (
    apply_orientation,
    axcodes2ornt,
    inv_ornt_aff,
    io_orientation,
    ornt_transform,
)
from numpy.typing import NDArray

#: From millimetres to left, back and head to millimetres to right, front and head; and back.
_LPS_RAS = np.diag([-1.0, -1.0, 1.0, 1.0])
#: First index to the head, second to the back, third to the patient's left.
_CANONICAL = axcodes2ornt(("S", "P", "L"))


def lps_to_ras(affine: NDArray[np.float64]) -> NDArray[np.float64]:
    """Turn an affine ``[4, 4]`` to LPS mm (DICOM's) into one to RAS+ mm (NIfTI's)."""
    return np.asarray(_LPS_RAS @ affine)


def ras_to_lps(affine: NDArray[np.float64]) -> NDArray[np.float64]:
    """Turn an affine ``[4, 4]`` to RAS+ mm (NIfTI's) into one to LPS mm (DICOM's)."""
    return np.asarray(_LPS_RAS @ affine)


def to_canonical(
    volume: NDArray[np.generic], affine: NDArray[np.float64]
) -> tuple[NDArray[np.generic], NDArray[np.float64]]:
    """Turn a volume so that its axes point to the head, the back and the patient's left.

    Axes are permuted and flipped to the nearest anatomical ones; an oblique volume keeps
    its obliqueness, so no value is interpolated.

    Args:
        volume: ``[K, R, C]``.
        affine: Indices to LPS mm, ``[4, 4]``.

    Returns:
        The volume ``[Z, Y, X]`` (rising to superior, posterior, left) and its affine.
    """
    to_ras = lps_to_ras(affine)
    turn = ornt_transform(io_orientation(to_ras), _CANONICAL)
    canonical = np.ascontiguousarray(apply_orientation(volume, turn))
    return canonical, ras_to_lps(to_ras @ inv_ornt_aff(turn, volume.shape))
