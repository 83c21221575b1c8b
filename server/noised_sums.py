"""What a site answers with sums over its patients must be before anything is made of it."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from ..errors import UpdateRejectedError
from ..federation.protocol import DEVIATION, RoundReply, RoundRequest


def check_noised_sums(
    reply: RoundReply, request: RoundRequest, name: str, size: int
) -> tuple[NDArray[np.float32], float]:
    """Check noised sums: the warm-up's statistics or a composition.

    Args:
        reply: A reply with code "ok".
        request: What was asked.
        name: Name of the tensor with the sums.
        size: How many sums there are.

    Returns:
        The sums, float32 ``[size]``, and the deviation of the noise in each of them.

    Raises:
        UpdateRejectedError: If it answers something else, or with impossible numbers. It names
            the site.
    """
    if reply.request != request.digest() or set(reply.tensors) != {name, DEVIATION}:
        raise UpdateRejectedError(f"Site {reply.site!r} does not answer with {name}.")
    sums, deviation = reply.tensors[name], reply.tensors[DEVIATION]
    if sums.shape != (size,) or deviation.shape != (1,):
        raise UpdateRejectedError(f"Site {reply.site!r} answers in another shape.")
    if not (np.isfinite(sums).all() and np.isfinite(deviation).all() and deviation[0] > 0):
        raise UpdateRejectedError(f"Site {reply.site!r} answers with impossible numbers.")
    return np.asarray(sums, np.float32), float(deviation[0])
