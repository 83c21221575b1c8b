"""Initial noise of a volume's slices: alike where slices are close, so that the slices agree.

A sampler that solves the probability flow's differential equation is a continuous map from
noise, caption and position to an image. If neighbours start from nearly the same noise at
nearly the same position, they end as nearly the same image. Each noise value is drawn along the
slices from a Gaussian process of unit variance, so every single slice starts, as it must, from
independent standard normal noise.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

#: Keeps the covariance of many close slices invertible; as share of the variance.
_JITTER = 1e-4


def correlated_noise(
    positions: Sequence[float],
    shape: tuple[int, ...],
    *,
    length: float,
    seed: int,
    given: tuple[Sequence[float], Tensor] | None = None,
) -> Tensor:
    """Draw noise for slices from a Gaussian process (Rasmussen & Williams 2006, eq. 2.19).

    Args:
        positions: ``N`` slice positions.
        shape: Shape of one slice's noise.
        length: Length scale of the correlation, in positions: at this distance two slices'
            noise is correlated by ``exp(-1/2)``.
        seed: Seed of the draw.
        given: ``M`` positions whose noise is known, and the noise, ``[M, *shape]``. The rest is
            drawn to go with it.

    Returns:
        float32 ``[N, *shape]``.
    """
    where = np.asarray(positions, np.float64)
    covariance = _kernel(where, where, length)
    mean: NDArray[np.float64] | None = None
    if given is not None:
        at, known = np.asarray(given[0], np.float64), given[1]
        among = _kernel(at, at, length) + _JITTER * np.eye(len(at))
        weights = np.linalg.solve(among, _kernel(at, where, length))  # [M, N]
        mean = weights.T @ known.reshape(len(at), -1).double().cpu().numpy()
        covariance = covariance - weights.T @ _kernel(at, where, length)
    values, vectors = np.linalg.eigh(covariance)
    root = vectors * np.sqrt(np.clip(values, 0.0, None))
    draws = torch.randn(
        (len(where), int(np.prod(shape))),
        generator=torch.Generator().manual_seed(seed),
        dtype=torch.float64,
    ).numpy()
    noise = root @ draws + (0.0 if mean is None else mean)
    return torch.from_numpy(noise).float().reshape(len(where), *shape)


def _kernel(a: NDArray[np.float64], b: NDArray[np.float64], length: float) -> NDArray[np.float64]:
    return np.asarray(np.exp(-((a[:, None] - b[None, :]) ** 2) / (2.0 * length**2)))
