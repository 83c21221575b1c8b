"""Two halves of the held-out patients: one to choose on, one to report on."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from ..errors import DataError
from .measures.image_sets import ImageSet


def first_half(patients: Sequence[str], seed: int) -> NDArray[np.bool_]:
    """Choose half of the patients at random.

    Args:
        patients: Patient key of each of N images.
        seed: Seed of the choice.

    Returns:
        ``[N]``: whether the image's patient is in the first half.

    Raises:
        DataError: If there are fewer than two patients.
    """
    keys, owner = np.unique(np.array(patients), return_inverse=True)
    if len(keys) < 2:
        raise DataError(
            f"There are {len(keys)} held-out patients, and two halves of them are needed.",
            hint="Hold out more patients (data.holdout_fraction).",
        )
    order = np.random.default_rng((seed, 6)).permutation(len(keys))
    half: NDArray[np.bool_] = (order < len(keys) // 2)[owner]
    return half


def halves(images: ImageSet, seed: int) -> tuple[ImageSet, ImageSet]:
    """Split images by patient: thresholds are chosen on the first half, reported on the second.

    Args:
        images: Held-out images.
        seed: Seed of the split.

    Raises:
        DataError: If there are fewer than two patients.
    """
    first = first_half(images.patients, seed)
    return images.select(np.flatnonzero(first)), images.select(np.flatnonzero(~first))
