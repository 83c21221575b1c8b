"""How far an update moves the model: what a site may send and a coordinator takes at most."""

from __future__ import annotations

import math
from typing import Any

import numpy as np
from numpy.typing import NDArray

from .wire import Tensors


def distance(before: Tensors, after: Tensors) -> float:
    """Return the Euclidean norm of the change from one set of tensors to another.

    It is summed in float64, tensor by tensor, without holding a copy of all of them. Both sides
    of a federation measure with it, so a site knows what its coordinator will come to.

    Args:
        before: Tensors by name.
        after: The same names and shapes; not finite numbers give infinity or NaN.
    """
    squares = (_square(start, after[name]) for name, start in before.items())
    try:
        return math.sqrt(math.fsum(squares))
    except OverflowError:  # finite squares whose sum is not
        return math.inf


def _square(before: NDArray[Any], after: NDArray[Any]) -> float:
    change = np.subtract(after, before, dtype=np.float64).ravel()
    return float(change @ change)
