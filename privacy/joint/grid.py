"""The grid on which values and noise are whole numbers, so that many sites' sums are exact.

A clipped vector is rounded towards zero to multiples of ``clip_norm / 2**bits``, which never makes
it longer: in steps of the grid one patient moves a sum by a vector of whole numbers of norm at most
``2**bits``, exactly. The grid is public and the same at every site of a study.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from ...errors import PrivacyError
from .ring import from_ring

#: Steps to a clip norm are ``2**bits``: fine enough for the gradients of a million weights (a
#: truncation of 1 % of their length), and sums of 32,000 clip norms along one of them still fit.
GRADIENT_BITS = 16
#: Statistics point the same way for many patients, so they leave more room: sums of half a million
#: clip norms fit.
STATISTICS_BITS = 12


@dataclass(frozen=True)
class SumGrid:
    """Multiples of a step.

    Attributes:
        clip_norm: Largest Euclidean norm of one patient's vector.
        bits: Two's logarithm of the number of steps to a clip norm, 4 to 24.

    Raises:
        PrivacyError: If a value is out of range.
    """

    clip_norm: float
    bits: int = GRADIENT_BITS

    def __post_init__(self) -> None:
        if not 0 < self.clip_norm < math.inf:
            raise PrivacyError(
                f"clip_norm is {self.clip_norm!r}.", hint="It must be positive and finite."
            )
        if not isinstance(self.bits, int) or not 4 <= self.bits <= 24:
            raise PrivacyError(f"The grid has {self.bits!r} bits.", hint="It must have 4 to 24.")

    @property
    def step(self) -> float:
        """Distance between two points."""
        return math.ldexp(self.clip_norm, -self.bits)

    def deviation(self, share: float) -> float:
        """Return the standard deviation of noise in steps.

        Args:
            share: The same in units of the clip norm.
        """
        return math.ldexp(share, self.bits)

    def values(self, total: NDArray[np.uint32]) -> NDArray[np.float64]:
        """Return what a sum in the ring stands for, float64 of the same shape.

        Args:
            total: Sum of the sites' vectors modulo 2**32, with no mask left on it.
        """
        return np.multiply(from_ring(total), self.step, dtype=np.float64)
