"""What three planes agree on, and slices that are drawn one by one do not.

A slice that is drawn for itself has all its detail, its own brightness and its own idea of where
the body ends, so cuts across such slices are streaked, and ragged at the edge. In a volume that is
the mean of three planes what is coarse and the outline agree in all views, for skin and bone are
large and strong; what is fine within has been averaged away. Here the best of both is joined.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray
from scipy.ndimage import binary_fill_holes, distance_transform_edt, gaussian_filter
from scipy.special import expit

Floats = NDArray[np.float32]

#: What is coarser within a slice than this (standard deviation, mm) is agreed upon.
_COARSE_MM = 10.5
#: Brighter than this, in model values, is body and not the air around it.
_BODY_ABOVE = -0.7
#: Depth below the skin in mm down to which outlines reach: the scalp and the skull of a head.
_DEPTH_MM = 17.5
#: Scale in mm of the passage from there to what lies deeper.
_PASSAGE_MM = 2.6


def coarse_kept(agreed: Floats, drawn: Floats, *, pixel_mm: float) -> Floats:
    """Take what is coarse within the slices from one volume and what is fine from another.

    Args:
        agreed: ``[N, H, W]``, whose coarse waves are taken.
        drawn: ``[N, H, W]``, the same slices, of which the fine waves are taken.
        pixel_mm: Side of a pixel, mm.

    Returns:
        ``[N, H, W]``.
    """
    width = _COARSE_MM / pixel_mm
    return drawn + gaussian_filter(agreed - drawn, (0, width, width))


def outline_kept(agreed: Floats, drawn: Floats, *, pixel_mm: float, slice_mm: float) -> Floats:
    """Take the outline from one volume and what lies deeper from another.

    Args:
        agreed: ``[N, H, W]`` in [-1, 1], whose outline is taken.
        drawn: ``[N, H, W]``, the same slices, of which the inside is taken.
        pixel_mm: Side of a pixel, mm.
        slice_mm: Distance between slices, mm.

    Returns:
        ``[N, H, W]`` in [-1, 1].
    """
    body = np.stack([binary_fill_holes(image) for image in agreed > _BODY_ABOVE])
    # The first and the last slice asked for are no ends of the body.
    beyond = int(np.ceil(2 * _DEPTH_MM / slice_mm))
    body = np.pad(body, ((beyond, beyond), (0, 0), (0, 0)), mode="edge")
    depth = distance_transform_edt(body, sampling=(slice_mm, pixel_mm, pixel_mm))
    inside = expit((depth[beyond:-beyond] - _DEPTH_MM) / _PASSAGE_MM).astype(np.float32)
    return agreed + inside * (drawn - agreed)
