"""Slice positions: where along a body region a slice lies, as a number from 0 to 1.

ImagePositionPatient counts from an origin that the scanner chose, so millimetres cannot be
compared between patients, and a region's size differs from one to the next. What can be
compared is the share of the region that lies below a slice. The region's ends are taken
from the scan: the outermost slices that show anything. That is right where a scan covers
its region. A slab that covers only a part of it would be stretched over the whole, so its
extent counts as no less than the shortest scan that covers the region
(:data:`WHOLE_REGION_MM`), and it is put in the middle, the least wrong place where nothing
more is known.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

#: Shortest extent in mm of a scan that covers an adult's region from end to end: feet to head
#: (axial slices), back to front (coronal) and right to left (sagittal).
WHOLE_REGION_MM = {
    "head": (130.0, 150.0, 120.0),
    "neck": (100.0, 90.0, 90.0),
    "chest": (220.0, 170.0, 250.0),
    "abdomen": (180.0, 160.0, 230.0),
    "pelvis": (170.0, 160.0, 250.0),
    "spine": (150.0, 80.0, 60.0),
    "limb": (80.0, 50.0, 50.0),
    "body": (200.0, 150.0, 150.0),
}
_AXIS = {"axial": 0, "coronal": 1, "sagittal": 2}


def region_positions(
    heights: Sequence[float] | NDArray[np.floating],
    shown: Sequence[bool] | NDArray[np.bool_],
    *,
    plane: str,
    body_part: str,
    margin: float,
) -> NDArray[np.float32]:
    """Normalise heights in mm to shares of a body region.

    Args:
        heights: Distance of each slice towards the superior, anterior or left end from any
            origin, mm, ``[N]``.
        shown: Whether each slice shows anything of the patient, ``[N]``.
        plane: One of ``description.PLANES``.
        body_part: One of ``description.BODY_PARTS``.
        margin: How far the scan reaches beyond its outermost slices' centres, mm.

    Returns:
        Positions in [0, 1], ``[N]``.
    """
    levels = np.asarray(heights, np.float64)
    ends = levels[np.asarray(shown, np.bool_)] if np.any(shown) else levels
    low, high = ends.min(), ends.max()
    extent = high - low + 2 * margin
    whole = max(extent, WHOLE_REGION_MM[body_part][_AXIS[plane]])
    middle = (low + high) / 2
    return np.clip(0.5 + (levels - middle) / whole, 0.0, 1.0).astype(np.float32)
