"""One-off noised sums and counts over all patients, for statistics."""

from __future__ import annotations

import math
from collections.abc import Iterable

import numpy as np
import torch
from numpy.typing import NDArray

from ..errors import PrivacyError
from .clipping import ClippedSum
from .noise import release
from .stream import SecretStream


def private_sum(
    vectors: Iterable[NDArray[np.floating]],
    *,
    size: int,
    clip_norm: float,
    noise_multiplier: float,
    stream: SecretStream,
) -> NDArray[np.float64]:
    """Sum one vector per patient, each clipped, and add Gaussian noise.

    It is the mechanism ``SubsampledGaussian(1, noise_multiplier, 1)``; pay for it first.

    Args:
        vectors: For each patient one vector ``[D]``. A vector that is not finite counts as zero.
        size: Length D of the vectors: public, so that an empty site answers like any other.
        clip_norm: Largest Euclidean norm of one patient's vector; longer ones are scaled down.
        noise_multiplier: Noise standard deviation in units of the clip norm, positive.
        stream: Secret randomness of this sum alone.

    Returns:
        float64 ``[D]``.

    Raises:
        PrivacyError: If a vector has another length or a number is out of range.
    """
    total = ClippedSum(size, clip_norm)
    for vector in vectors:
        if vector.shape != (size,):
            raise PrivacyError(
                f"A patient's vector has the shape {vector.shape}.", hint=f"It must be ({size},)."
            )
        total.add(torch.tensor(vector, dtype=torch.float32))
    noisy: NDArray[np.float64] = release(
        total.total(), noise_multiplier * clip_norm, stream
    ).numpy()
    return noisy


def private_count(patients: int, *, noise_multiplier: float, stream: SecretStream) -> float:
    """Return the number of patients with Gaussian noise, at least 1.

    It is the mechanism ``SubsampledGaussian(1, noise_multiplier, 1)``; pay for it first.

    Args:
        patients: The number, at least 0.
        noise_multiplier: Standard deviation of the noise in patients, positive.
        stream: Secret randomness of this count alone.

    Raises:
        PrivacyError: If a number is out of range.
    """
    if patients < 0 or not math.isfinite(patients):
        raise PrivacyError(f"The number of patients is {patients!r}.")
    count = torch.tensor([float(patients)], dtype=torch.float64)
    return max(1.0, float(release(count, noise_multiplier, stream)))
