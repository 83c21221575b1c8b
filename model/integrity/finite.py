"""Nothing that is not a finite number is saved, drawn or shown: it stops where it arises."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray

from ...errors import ModelError


def require_finite(values: NDArray[Any], what: str, hint: str = "") -> None:
    """Refuse values of which one is not a finite number.

    Args:
        values: Any floating-point array.
        what: What they are, to begin the message with.
        hint: What the reader can do about it.

    Raises:
        ModelError: If one is infinite or no number; says how many are.
    """
    if wrong := values.size - int(np.isfinite(values).sum()):
        raise ModelError(f"{what}: {wrong} of {values.size} values are not finite.", hint=hint)


def require_finite_weights(weights: Mapping[str, torch.Tensor], what: str, hint: str = "") -> None:
    """Refuse weights of which one is not a finite number.

    Args:
        weights: Tensors by name.
        what: Whose they are, to begin the message with.
        hint: What the reader can do about it.

    Raises:
        ModelError: If one is infinite or no number; names the tensor.
    """
    for name, value in weights.items():
        if value.is_floating_point() and not bool(torch.isfinite(value).all()):
            raise ModelError(f"{what} has values that are not finite in {name}.", hint=hint)
