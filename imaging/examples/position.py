"""Slice positions: where along a body region a slice lies, as a number from 0 to 1.

ImagePositionPatient counts from an origin that the scanner chose, so millimetres cannot be
compared between patients, and a region's size differs from one to the next. What can be
compared is the share of the region that lies below a slice. The region's ends are taken
from the scan: the outermost slices that show anything. That is right where a scan covers
its region. A slab that covers only a part of it would be stretched over the whole, so its
extent counts as no less than the shortest scan that covers the region
(:func:`~fedscan.model.region.least_extent_mm`), and it is put in the middle, the least wrong
place where nothing more is known.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from ...model.region import least_extent_mm


def region_positions(
    heights: Sequence[float] | NDArray[np.floating],
    has_content: Sequence[bool] | NDArray[np.bool_],
    *,
    plane: str,
    body_part: str,
    margin: float,
    ends: tuple[float, float] | None = None,
) -> NDArray[np.float32]:
    """Normalise heights in mm to shares of a body region.

    Args:
        heights: Distance of each slice towards the superior, anterior or left end from any
            origin, mm, ``[N]``.
        has_content: Whether each slice shows anything of the patient, ``[N]``.
        plane: One of ``description.PLANES``.
        body_part: One of ``description.BODY_PARTS``.
        ends: Heights of the region's ends where the slices are a part of a longer scan, mm.
        margin: How far the scan reaches beyond its outermost slices' centres, mm.

    Returns:
        Positions in [0, 1], ``[N]``.
    """
    levels = np.asarray(heights, np.float64)
    span = levels[np.asarray(has_content, np.bool_)] if np.any(has_content) else levels
    low, high = ends or (float(span.min()), float(span.max()))
    extent = high - low + 2 * margin
    whole = max(extent, least_extent_mm(body_part, plane))
    middle = (low + high) / 2
    return np.clip(0.5 + (levels - middle) / whole, 0.0, 1.0).astype(np.float32)
