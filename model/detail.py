"""Volumes whose slices hold as much detail as slices that are drawn alone."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray
from scipy.ndimage import gaussian_filter1d

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
    held, wanted = _power(volume, rings), _power(alone, rings)
    gain = np.sqrt(wanted / np.maximum(held, 1e-12))
    gain[: _COARSE + 1] = 1.0
    gain = np.clip(gaussian_filter1d(gain, _SMOOTH, mode="nearest"), 1.0, _MOST)
    sharper = np.fft.ifft2(np.fft.fft2(volume) * gain[rings]).real
    return np.asarray(np.clip(sharper, -1, 1), np.float32)


def _power(slices: Floats, rings: NDArray[np.int64]) -> Doubles:
    """Mean power of each ring of spatial frequencies."""
    power = np.square(np.abs(np.fft.fft2(slices))).mean(0)
    counts = np.maximum(np.bincount(rings.ravel()), 1)
    return np.asarray(np.bincount(rings.ravel(), power.ravel()) / counts)
