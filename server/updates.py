"""A site's update, and what it must satisfy before it may touch the model."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ..errors import UpdateRejectedError
from ..federation.distance import distance
from ..federation.protocol import RoundReply, Tensors


@dataclass(frozen=True, kw_only=True, eq=False)
class Update:
    """A checked result of one site.

    Attributes:
        site: The site's name.
        weight: Weight in the average, in any unit.
        tensors: The site's tensors after local training, as those of the model.
        norm: L2 norm of the change from the model that was sent.
    """

    site: str
    weight: float
    tensors: Mapping[str, NDArray[Any]]
    norm: float


def check_update(
    reply: RoundReply, model: Tensors, *, max_norm: float, declared_weight: bool
) -> Update:
    """Check a reply against the model that was sent.

    Args:
        reply: A reply with code "ok".
        model: The tensors that were sent.
        max_norm: Largest accepted L2 norm of the change.
        declared_weight: Whether the site's declared weight counts; else all weigh the same.

    Raises:
        UpdateRejectedError: If a tensor is missing, unknown, of another shape or type or not
            finite, or the change is too large. It names the site and the tensor.
    """
    _same_names(reply, model)
    for name, reference in model.items():
        tensor = reply.tensors[name]
        if tensor.shape != reference.shape:
            raise _rejected(reply, f"{name} has shape {tensor.shape}, expected {reference.shape}")
        if tensor.dtype != reference.dtype:
            raise _rejected(reply, f"{name} is {tensor.dtype}, expected {reference.dtype}")
        if not np.isfinite(tensor).all():
            raise _rejected(reply, f"{name} has values that are not finite")
    norm = distance(model, reply.tensors)
    if not norm <= max_norm:
        raise _rejected(
            reply, f"its norm is {norm:.4g}, over federation.max_update_norm={max_norm:.4g}"
        )
    weight = reply.weight if declared_weight else 1.0
    return Update(site=reply.site, weight=weight, tensors=reply.tensors, norm=norm)


def cosine(update: Update, before: Tensors, after: Tensors) -> float:
    """Return the cosine between a site's change and the model's, in [-1, 1]; 0 if one is 0."""
    product = square = 0.0
    for name, start in before.items():
        step = after[name].astype(np.float64) - start
        product += float(np.vdot(update.tensors[name].astype(np.float64) - start, step))
        square += float(np.vdot(step, step))
    length = update.norm * math.sqrt(square)
    return min(1.0, max(-1.0, product / length)) if length > 0 else 0.0


def _same_names(reply: RoundReply, model: Tensors) -> None:
    if missing := sorted(set(model) - set(reply.tensors)):
        raise _rejected(reply, f"{missing[0]} and {len(missing) - 1} more tensors are missing")
    if strange := sorted(set(reply.tensors) - set(model)):
        raise _rejected(reply, f"{strange[0]} and {len(strange) - 1} more tensors are unknown")


def _rejected(reply: RoundReply, reason: str) -> UpdateRejectedError:
    return UpdateRejectedError(f"The update of site {reply.site!r} is refused: {reason}.")
