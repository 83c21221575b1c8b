"""Who a training set is made of: patients by the words of their descriptions, never exact.

A patient contributes one vector: for each attribute the shares of their images by word. It is
scaled to a length of at most 1 however many images there are, so that the noised sum over the
patients is a Gaussian mechanism with the patient as its unit, and nothing is ever clipped.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from ..description import AGE_BANDS, BODY_PARTS, FINDINGS, MODALITIES, SEXES, Description

#: Attributes that are counted, with all their words; "" is unknown. Public, for it depends on no
#: data.
ATTRIBUTES: Mapping[str, tuple[str, ...]] = {
    "modality": MODALITIES,
    "body_part": BODY_PARTS,
    "finding": ("", *FINDINGS),
    "sex": ("", *SEXES),
    "age_band": ("", *AGE_BANDS),
}


def cells() -> tuple[tuple[str, str], ...]:
    """Return every cell of a composition, an attribute and a word, in a fixed order."""
    return tuple((attribute, word) for attribute, words in ATTRIBUTES.items() for word in words)


#: What a vector's entries are multiplied by to make its length at most 1.
SCALE = 1 / math.sqrt(len(ATTRIBUTES))


def patient_shares(descriptions: Iterable[Description]) -> NDArray[np.float32]:
    """Return one patient's contribution.

    Args:
        descriptions: Of all images of the patient; at least one.

    Returns:
        float32 ``[len(cells())]`` of length at most 1: the shares of the patient's images, times
        :data:`SCALE`.
    """
    place = {cell: index for index, cell in enumerate(cells())}
    counts = np.zeros(len(place))
    images = 0
    for description in descriptions:
        images += 1
        for attribute in ATTRIBUTES:
            counts[place[attribute, getattr(description, attribute)]] += 1
    return (counts * (SCALE / max(images, 1))).astype(np.float32)


@dataclass(frozen=True, kw_only=True)
class Composition:
    """Noised numbers of a site's training patients, as a site may disclose them.

    Attributes:
        patients: For each of :func:`cells` the noised number of patients. Somebody with images of
            several words counts for each by their share.
        deviation: Standard deviation of the noise in each number.
        noise_multiplier: Noise of the mechanism, which ran once on all patients.
        delta: Delta at which its epsilon is told.
    """

    patients: tuple[float, ...]
    deviation: float
    noise_multiplier: float
    delta: float
