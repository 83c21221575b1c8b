"""The detail of slices drawn alone, in a volume that three planes agree on.

A slice that is drawn for itself has all its detail, its own brightness and its own idea of where
the body ends, so cuts across such slices are streaked, and ragged at the edge. In a volume that is
the mean of three planes what is coarse and the outline agree in all views, for skin and bone are
large and strong; what is fine within has been averaged away. Here the best of both is joined, and
what is fine is made as strong as in slices that are drawn alone.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray
from scipy.ndimage import (
    binary_fill_holes,
    distance_transform_edt,
    gaussian_filter,
    gaussian_filter1d,
)
from scipy.special import expit

Floats = NDArray[np.float32]
Doubles = NDArray[np.float64]

#: Waves along a slice up to this many are brightness and outline, and stay as they are.
_COARSE = 3
#: How far a wave is amplified at most: beyond this there is only noise to be had.
_MOST = 3.0
#: Waves over which the amplification is smoothed.
_SMOOTH = 1.5


def restore_detail(volume: Floats, alone: Floats) -> Floats:
    """Amplify what is fine in a volume's slices until it is as strong as in slices drawn alone.

    A volume is the mean of what three planes say, and calm cuts are means again: what all agree on
    stays, and is weaker the finer it is. Each spatial frequency within the slices gets back the
    power that it has in the reference slices (spectra matched as Heeger and Bergen, SIGGRAPH 1995,
    match those of textures), by one gain for all slices and directions: nothing is made up, and
    neighbours agree as before.

    Args:
        volume: ``[N, H, H]`` in [-1, 1].
        alone: ``[M, H, H]``, slices of the same kind at the same positions.

    Returns:
        ``[N, H, H]`` in [-1, 1].
    """
    side = volume.shape[-1]
    waves = side * np.hypot(np.fft.fftfreq(side)[:, None], np.fft.fftfreq(side)[None, :])
    rings = np.rint(waves).astype(np.int64)
    power, target = _power(volume, rings), _power(alone, rings)
    gain = np.sqrt(target / np.maximum(power, 1e-12))
    gain[: _COARSE + 1] = 1.0
    gain = np.clip(gaussian_filter1d(gain, _SMOOTH, mode="nearest"), 1.0, _MOST)
    sharper = np.fft.ifft2(np.fft.fft2(volume) * gain[rings]).real
    return np.asarray(np.clip(sharper, -1, 1), np.float32)


def _power(slices: Floats, rings: NDArray[np.int64]) -> Doubles:
    """Mean power of each ring of spatial frequencies."""
    power = np.square(np.abs(np.fft.fft2(slices))).mean(0)
    counts = np.maximum(np.bincount(rings.ravel()), 1)
    return np.asarray(np.bincount(rings.ravel(), power.ravel()) / counts)


#: What is coarser within a slice than this (standard deviation, mm) is agreed upon.
_COARSE_MM = 10.5
#: Brighter than this, in model values, is body and not the air around it.
_BODY_ABOVE = -0.7
#: Depth below the skin in mm down to which outlines reach: the scalp and the skull of a head.
_DEPTH_MM = 17.5
#: Scale in mm of the passage from there to what lies deeper.
_PASSAGE_MM = 2.6


def coarse_kept(coarse: Floats, fine: Floats, *, pixel_mm: float) -> Floats:
    """Take what is coarse within the slices from one volume and what is fine from another.

    Args:
        coarse: ``[N, H, W]``, whose coarse waves are taken.
        fine: ``[N, H, W]``, the same slices, of which the fine waves are taken.
        pixel_mm: Side of a pixel, mm.

    Returns:
        ``[N, H, W]``.
    """
    width = _COARSE_MM / pixel_mm
    return fine + gaussian_filter(coarse - fine, (0, width, width))


def outline_kept(coarse: Floats, fine: Floats, *, pixel_mm: float, slice_mm: float) -> Floats:
    """Take the outline from one volume and what lies deeper from another.

    Args:
        coarse: ``[N, H, W]`` in [-1, 1], whose outline is taken.
        fine: ``[N, H, W]``, the same slices, of which the inside is taken.
        pixel_mm: Side of a pixel, mm.
        slice_mm: Distance between slices, mm.

    Returns:
        ``[N, H, W]`` in [-1, 1].
    """
    body = np.stack([binary_fill_holes(image) for image in coarse > _BODY_ABOVE])
    # The first and the last slice asked for are no ends of the body.
    beyond = int(np.ceil(2 * _DEPTH_MM / slice_mm))
    body = np.pad(body, ((beyond, beyond), (0, 0), (0, 0)), mode="edge")
    depth = distance_transform_edt(body, sampling=(slice_mm, pixel_mm, pixel_mm))
    inside = expit((depth[beyond:-beyond] - _DEPTH_MM) / _PASSAGE_MM).astype(np.float32)
    return coarse + inside * (fine - coarse)
