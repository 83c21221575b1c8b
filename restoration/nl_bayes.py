"""Denoising of patches by what their likes have in common."""

from __future__ import annotations

import numpy as np
from numpy.lib.stride_tricks import sliding_window_view
from numpy.typing import NDArray

Floats = NDArray[np.float32]

_SEARCH = 8
_LIKE = 60
#: Every other patch is estimated; each pixel still lies in a dozen of them.
_STRIDE = 2
#: Rows of patches estimated at once: bounds the memory.
_ROWS = 8
#: Noise of patches that may be estimated with another's noise, as ratio of the variances.
_SAME_NOISE = 1.1


def nl_bayes(
    noisy: Floats, pilot: Floats, sigma: Floats, *, side: int = 7, likes: bool = True
) -> Floats:
    """Estimate an image from noise and a first estimate of it (NL-Bayes, second step).

    Lebrun, Buades & Morel, SIAM J. Imaging Sciences 6 (2013): the patches of the pilot most
    alike a patch give a Gaussian prior of it; its mean given the noisy patch is the estimate.
    Overlapping estimates are averaged.

    Args:
        noisy: ``[H, W]``.
        pilot: First estimate ``[H, W]``.
        sigma: Standard deviation of the noise, ``[H, W]``.
        side: Pixels along a patch; odd.
        likes: Whether the patches alike are estimated with the same prior as well (as in the
            paper: smoother), or each patch with its own only (keeps more of the detail).

    Returns:
        ``[H, W]``.
    """
    height, width = noisy.shape
    margin = side // 2 + _SEARCH
    padded = [
        sliding_window_view(np.pad(each, margin, mode="symmetric"), (side, side))
        for each in (noisy, pilot, sigma)
    ]
    wide = (height + 2 * margin, width + 2 * margin)
    total, weight = np.zeros(wide[0] * wide[1]), np.zeros(wide[0] * wide[1])
    columns = np.arange(0, width, _STRIDE)
    for first in range(0, height, _ROWS):
        rows = np.arange(first, min(first + _ROWS, height), _STRIDE)
        at = [each.ravel() + _SEARCH for each in np.meshgrid(rows, columns, indexing="ij")]
        corners, estimate, counts = _estimate(padded, at[0], at[1], likes)
        for a in range(side):
            for b in range(side):
                pixel = ((corners[0] + a) * wide[1] + corners[1] + b).ravel()
                found = counts * estimate[:, :, a * side + b]
                total += np.bincount(pixel, found.ravel(), len(total))
                weight += np.bincount(pixel, counts.ravel(), len(total))
    inside = (slice(margin, margin + height), slice(margin, margin + width))
    return (total.reshape(wide)[inside] / weight.reshape(wide)[inside]).astype(np.float32)


def _estimate(
    padded: list[Floats], row: NDArray[np.intp], column: NDArray[np.intp], likes: bool
) -> tuple[tuple[NDArray[np.intp], NDArray[np.intp]], Floats, Floats]:
    """Estimate the ``L`` patches at the given rows and columns, and ``K - 1`` like each.

    Returns:
        Rows and columns ``[L, K]`` of the estimates' corners, estimates ``[L, K, size]``, and
        whether they count, ``[L, K]``.
    """
    size = padded[0].shape[2] ** 2
    pilot, sigma = (each[row, column].reshape(len(row), size) for each in padded[1:])
    steps = np.arange(-_SEARCH, _SEARCH + 1)
    shifts = np.stack([each.ravel() for each in np.meshgrid(steps, steps, indexing="ij")])
    distance = np.empty((shifts.shape[1], len(row)), np.float32)
    for index, (down, right) in enumerate(shifts.T):
        other = padded[1][row + down, column + right].reshape(len(row), size)
        distance[index] = np.square(other - pilot).sum(1)
    distance[shifts.shape[1] // 2] = -1.0  # the patch itself comes first
    best = np.argpartition(distance, (0, _LIKE), axis=0)[:_LIKE]
    rows, columns = (row + shifts[0][best]).T, (column + shifts[1][best]).T
    like = padded[1][rows, columns].reshape(len(row), _LIKE, size)
    mean = like.mean(1, keepdims=True)
    spread = like - mean
    covariance = spread.transpose(0, 2, 1) @ spread / np.float32(_LIKE - 1)
    variance = np.square(sigma) + np.float32(1e-8)
    if not likes:
        rows, columns = rows[:, :1], columns[:, :1]
    noisy = padded[0][rows, columns].reshape(len(row), -1, size)
    noise = variance[:, :, None] * np.eye(size, dtype=np.float32)
    gain = np.linalg.solve(covariance + noise, (noisy - mean).transpose(0, 2, 1))
    estimate = mean + (covariance @ gain).transpose(0, 2, 1)
    theirs = np.square(padded[2][rows, columns].reshape(len(row), -1, size)) + np.float32(1e-8)
    ratio = theirs / variance[:, None]
    counts = (ratio.max(2) < _SAME_NOISE) & (ratio.min(2) > 1 / _SAME_NOISE)
    return (rows, columns), np.asarray(estimate, np.float32), counts.astype(np.float32)
