"""Denoising of patches by what their likes have in common."""

from __future__ import annotations

import numpy as np
from numpy.lib.stride_tricks import sliding_window_view
from numpy.typing import NDArray

Floats = NDArray[np.float32]

_SIDE = 7
_SEARCH = 8
_LIKE = 60
#: Every other patch is estimated; each pixel still lies in a dozen of them.
_STRIDE = 2
#: Rows of patches estimated at once: bounds the memory.
_ROWS = 8


def nl_bayes(noisy: Floats, pilot: Floats, sigma: Floats) -> Floats:
    """Estimate an image from noise and a first estimate of it (NL-Bayes, second step).

    Lebrun, Buades & Morel, SIAM J. Imaging Sciences 6 (2013): the patches of the pilot most
    alike a patch give a Gaussian prior of it; its mean given the noisy patch is the estimate.
    Overlapping estimates are averaged.

    Args:
        noisy: ``[H, W]``.
        pilot: First estimate ``[H, W]``.
        sigma: Standard deviation of the noise, ``[H, W]``.

    Returns:
        ``[H, W]``.
    """
    height, width = noisy.shape
    margin = _SIDE // 2 + _SEARCH
    padded = [
        sliding_window_view(np.pad(each, margin, mode="symmetric"), (_SIDE, _SIDE))
        for each in (noisy, pilot, sigma)
    ]
    total = np.zeros((height + _SIDE - 1, width + _SIDE - 1), np.float64)
    weight = np.zeros_like(total)
    columns = np.arange(0, width, _STRIDE)
    for first in range(0, height, _ROWS):
        rows = np.arange(first, min(first + _ROWS, height), _STRIDE)
        estimate = _estimate(padded, rows, columns)
        for a in range(_SIDE):
            for b in range(_SIDE):
                at = np.ix_(rows + a, columns + b)
                total[at] += estimate[:, :, a, b]
                weight[at] += 1.0
    inside = (slice(_SIDE // 2, _SIDE // 2 + height), slice(_SIDE // 2, _SIDE // 2 + width))
    return (total[inside] / weight[inside]).astype(np.float32)


def _estimate(padded: list[Floats], rows: NDArray[np.intp], columns: NDArray[np.intp]) -> Floats:
    """Estimate the patches around the given rows and columns, ``[R, C, side, side]``."""
    size = _SIDE * _SIDE
    row, column = (each.ravel() + _SEARCH for each in np.meshgrid(rows, columns, indexing="ij"))
    noisy, pilot, sigma = (each[row, column].reshape(len(row), size) for each in padded)
    steps = np.arange(-_SEARCH, _SEARCH + 1)
    shifts = np.stack([each.ravel() for each in np.meshgrid(steps, steps, indexing="ij")])
    distance = np.empty((shifts.shape[1], len(row)), np.float32)
    for index, (down, right) in enumerate(shifts.T):
        other = padded[1][row + down, column + right].reshape(len(row), size)
        distance[index] = np.square(other - pilot).sum(1)
    best = np.argpartition(distance, _LIKE, axis=0)[:_LIKE]
    like = padded[1][row + shifts[0][best], column + shifts[1][best]]
    like = like.reshape(_LIKE, len(row), size).transpose(1, 0, 2)
    mean = like.mean(1)
    spread = like - mean[:, None]
    covariance = spread.transpose(0, 2, 1) @ spread / np.float32(_LIKE - 1)
    variance = np.square(sigma) + np.float32(1e-8)
    noise = variance[:, :, None] * np.eye(size, dtype=np.float32)
    gain = np.linalg.solve(covariance + noise, (noisy - mean)[:, :, None])
    estimate = mean + (covariance @ gain)[:, :, 0]
    return np.asarray(estimate, np.float32).reshape(len(rows), len(columns), _SIDE, _SIDE)
