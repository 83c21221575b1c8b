"""Whole numbers modulo 2**32, in which sites' vectors are masked and added.

A residue stands for the number nearest to zero, from ``-2**31`` to ``2**31 - 1``. A sum beyond that
wraps around, which is a function of the sum and costs no privacy.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray


def to_ring(numbers: NDArray[np.int64]) -> NDArray[np.uint32]:
    """Return the residues of whole numbers, uint32 of the same shape."""
    # Conversion between integer types of NumPy keeps the lowest bits.
    return numbers.astype(np.int64, copy=False).astype(np.uint32)


def from_ring(residues: NDArray[np.uint32]) -> NDArray[np.int64]:
    """Return the numbers nearest to zero that have these residues, int64 of the same shape."""
    return residues.astype(np.uint32, copy=False).astype(np.int32).astype(np.int64)
