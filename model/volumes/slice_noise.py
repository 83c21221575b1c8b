"""Initial noise of a volume's slices: alike where slices are close, so that the slices agree.

A sampler that solves the probability flow's differential equation is a continuous map from
noise, caption and position to an image. If neighbours start from nearly the same noise at
nearly the same position, they end as nearly the same image. Each noise value is drawn along the
slices from a Gaussian process of unit variance, so every single slice starts, as it must, from
independent standard normal noise.

What is coarse in a slice (its outline, its brightness) reaches further along the slices than
what is fine: anatomy has no preferred direction. So the noise is drawn by spatial frequency, in
the cosine transform, which keeps it white within a slice; the process' length is a share of the
wavelength, and no less than a given one.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import torch
from numpy.typing import NDArray
from scipy.fft import idctn
from torch import Tensor
from torch.nn.functional import pixel_unshuffle

Doubles = NDArray[np.float64]

#: Longest length scale: the mean of a slice would have no end of it.
_LONGEST = 2.0
#: Keeps the covariance of many close slices invertible; as share of the variance.
_JITTER = 1e-4


def correlated_noise(
    positions: Sequence[float],
    shape: tuple[int, int, int],
    *,
    length: float,
    seed: int,
    per_half_wave: float = 0.5,
    packing: int = 1,
) -> Tensor:
    """Draw noise for slices from Gaussian processes (Rasmussen & Williams 2006, eq. 2.19).

    Args:
        positions: ``N`` slice positions.
        shape: Channels, height and width of one slice's noise.
        length: Least length scale of the correlation, in positions: at this distance two slices'
            finest noise is correlated by ``exp(-1/2)``.
        seed: Seed of the draw.
        per_half_wave: Length scale over half the wavelength within the slice, both as shares of
            the region.
        packing: Side of the block of cells that lie in one cell's channels.

    Returns:
        float32 ``[N, *shape]``.
    """
    channels, height, width = shape[0] // packing**2, shape[1] * packing, shape[2] * packing
    draws = torch.randn(
        (len(positions), channels, height, width),
        generator=torch.Generator().manual_seed(seed),
        dtype=torch.float64,
    ).numpy()
    where = np.asarray(positions, np.float64)
    half_waves = np.hypot(np.arange(height)[:, None], np.arange(width)[None, :])
    lengths = np.clip(per_half_wave / np.maximum(half_waves, 1e-9), length, max(_LONGEST, length))
    waves = np.empty_like(draws)
    for one in np.unique(lengths):
        values, vectors = np.linalg.eigh(_kernel(where, where, one))
        root = vectors * np.sqrt(np.clip(values, 0.0, None))
        alike = lengths == one
        waves[:, :, alike] = np.tensordot(root, draws[:, :, alike], axes=1)
    noise = idctn(waves, axes=(2, 3), norm="ortho")
    return pixel_unshuffle(torch.from_numpy(noise).float(), packing)


def spread(differences: Tensor, at: Sequence[float], to: Sequence[float], length: float) -> Tensor:
    """Carry what is known at some positions to others: the mean of a Gaussian process.

    Args:
        differences: ``[M, ...]``, what is known.
        at: ``M`` positions where it is.
        to: ``N`` positions.
        length: Length scale in positions.

    Returns:
        ``[N, ...]``; near to the differences at their own positions, and to zero far from them.
    """
    sources, targets = np.asarray(at, np.float64), np.asarray(to, np.float64)
    among = _kernel(sources, sources, length) + _JITTER * np.eye(len(sources))
    weights = np.linalg.solve(among, _kernel(sources, targets, length))
    return torch.tensordot(torch.from_numpy(weights.T).to(differences), differences, dims=1)


def _kernel(a: Doubles, b: Doubles, length: float) -> Doubles:
    return np.asarray(np.exp(-((a[:, None] - b[None, :]) ** 2) / (2.0 * length**2)))
