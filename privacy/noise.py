"""Gaussian noise on a sum, released on a fixed grid.

Textbook noise is a real number; a floating-point one has gaps, and which sums of value and noise
are representable can tell the value (Mironov 2012; Jin et al. 2022, arXiv:2112.05307; Haney et
al. 2022, arXiv:2212.05309). Here value and noise are double precision numbers, and their sum is
rounded to a power of two near 2**-16 of the noise before anybody sees it. Each released number
then stands for some 2**36 double precision sums, whichever the value was, so nothing of the
low-order bits, where the gaps are, is left. Rounding after the noise costs no privacy.
"""

from __future__ import annotations

import math

import torch
from torch import Tensor

from ..errors import PrivacyError
from .stream import SecretStream

_GRID_BITS = 16
#: Numbers worked on at once: few enough to stay in a processor's cache from pass to pass.
_BLOCK = 1 << 16


def release(total: Tensor, noise_deviation: float, stream: SecretStream) -> Tensor:
    """Add noise to an exact sum and round the result.

    Args:
        total: float64, any shape.
        noise_deviation: Standard deviation of the noise, positive and finite.
        stream: Where the noise comes from.

    Returns:
        float64, of the same shape and on the same device.

    Raises:
        PrivacyError: If the deviation is out of range.
    """
    if not 0 < noise_deviation < math.inf:
        raise PrivacyError(
            f"The noise has a standard deviation of {noise_deviation!r}.",
            hint="It must be positive and finite: without noise there is no privacy.",
        )
    grid = math.ldexp(1.0, math.frexp(noise_deviation)[1] - 1 - _GRID_BITS)
    noisy = total.to(torch.float64, copy=True)
    for part in noisy.view(-1).split(_BLOCK):
        noise = stream.normal64(len(part)).to(part.device)
        part.add_(noise.mul_(noise_deviation)).div_(grid).round_().mul_(grid)
    return noisy
