"""What a joint study counts once: one vector of all its statistics, in parts of known length."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TypeVar

import numpy as np
from numpy.typing import NDArray

from .composition import FinerWords, cells
from .group_means import all_groups, vector_size

Number = TypeVar("Number", bound=np.generic)

#: Names of the parts, in their order.
GROUPS, COUNT, CELLS = "groups", "count", "cells"


def part_sizes(*, groups: bool, finer: FinerWords | None) -> dict[str, int]:
    """Return how many numbers each part has, in their order; public, for it depends on no data.

    Args:
        groups: Whether the warm-up's sums per group of images are among them.
        finer: The study's finer words, where the composition is counted, too.
    """
    return {
        **({GROUPS: vector_size(all_groups())} if groups else {}),
        COUNT: 1,
        **({CELLS: len(cells(finer))} if finer is not None else {}),
    }


def split_parts(values: NDArray[Number], sizes: Mapping[str, int]) -> dict[str, NDArray[Number]]:
    """Return the parts of a vector by name.

    Args:
        values: ``[N]``, with N the sum of the sizes.
        sizes: From :func:`part_sizes`.
    """
    ends = np.cumsum(list(sizes.values()))
    return dict(zip(sizes, np.split(values, ends[:-1]), strict=True))


def join_parts(parts: Sequence[NDArray[Number]]) -> NDArray[Number]:
    """Return parts as one vector ``[N]``."""
    return np.concatenate(parts)
