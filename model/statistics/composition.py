"""Who a training set is made of: patients by the words of their descriptions, never exact.

A patient contributes one vector: for each attribute the shares of their images by word. It is
scaled to a length of at most 1 however many images there are, so that the noised sum over the
patients is a Gaussian mechanism with the patient as its unit, and nothing is ever clipped.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from types import MappingProxyType
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ..description import AGE_BANDS, BODY_PARTS, FINDINGS, MODALITIES, SEXES, Description
from ..words.vocabulary import Vocabulary

#: Attributes that are counted, with all their words; "" is unknown. Public, for it depends on no
#: data.
ATTRIBUTES: Mapping[str, tuple[str, ...]] = {
    "modality": MODALITIES,
    "body_part": BODY_PARTS,
    "finding": ("", *FINDINGS),
    "sex": ("", *SEXES),
    "age_band": ("", *AGE_BANDS),
}


#: Attributes of the study's own words, and the kind of word that they are counted by. An image
#: that shows nothing of such a word adds nothing to them.
FINER: Mapping[str, str] = {"part": "body part", "finding_word": "finding"}

#: The words of each of :data:`FINER` that a study counts; public, since its terms say them.
FinerWords = Mapping[str, tuple[str, ...]]
_NO_WORDS: FinerWords = MappingProxyType({})
_FRAME = frozenset((*BODY_PARTS, *FINDINGS))


def finer_words(vocabulary: Vocabulary) -> FinerWords:
    """Return the words of a study that are finer than the frame's, by attribute.

    Args:
        vocabulary: The study's; of the frame alone there are none.
    """
    words_of = {
        attribute: tuple(
            dict.fromkeys(w.word for w in vocabulary.of_kind(kind) if w.word not in _FRAME)
        )
        for attribute, kind in FINER.items()
    }
    return {attribute: words for attribute, words in words_of.items() if words}


def cells(finer: FinerWords = _NO_WORDS) -> tuple[tuple[str, str], ...]:
    """Return every cell of a composition, an attribute and a word, in a fixed order.

    Args:
        finer: The study's own words.
    """
    attributes = {**ATTRIBUTES, **finer}
    return tuple((attribute, word) for attribute, words in attributes.items() for word in words)


def scale(finer: FinerWords = _NO_WORDS) -> float:
    """Return what a vector's entries are multiplied by to make its length at most 1.

    Each attribute's shares have a length of at most 1. With words of its own a study pays the
    same, and the noise of every number is larger by the square root of 6/5 or 7/5.
    """
    return 1 / math.sqrt(len(ATTRIBUTES) + len(finer))


def patient_shares(
    descriptions: Iterable[Description], finer: FinerWords = _NO_WORDS
) -> NDArray[np.float32]:
    """Return one patient's contribution.

    Args:
        descriptions: Of all images of the patient; at least one.
        finer: The study's own words. An image of several findings counts for each by its share.

    Returns:
        float32 ``[len(cells(finer))]`` of length at most 1: the shares of the patient's images,
        times :func:`scale`.
    """
    place = {cell: index for index, cell in enumerate(cells(finer))}
    counts = np.zeros(len(place))
    images = 0
    for description in descriptions:
        images += 1
        for attribute in ATTRIBUTES:
            counts[place[attribute, getattr(description, attribute)]] += 1
        finer_of_image = {"part": (description.part,), "finding_word": description.findings}
        for attribute in finer:
            for word in finer_of_image[attribute]:
                if (cell := (attribute, word)) in place:
                    counts[place[cell]] += 1 / len(finer_of_image[attribute])
    return (counts * (scale(finer) / max(images, 1))).astype(np.float32)


@dataclass(frozen=True, kw_only=True)
class Composition:
    """Noised numbers of a site's training patients, as a site may disclose them.

    Attributes:
        patients: For each of its cells the noised number of patients. Somebody with images of
            several words counts for each by their share.
        deviation: Standard deviation of the noise in each number.
        noise_multiplier: Noise of the mechanism, which ran once on all patients.
        delta: Delta at which its epsilon is told.
        finer: The study's own words that were counted.

    Raises:
        ValueError: If there are not as many numbers as cells.
    """

    patients: tuple[float, ...]
    deviation: float
    noise_multiplier: float
    delta: float
    finer: FinerWords = field(default_factory=dict)

    def __post_init__(self) -> None:
        if len(self.patients) != len(self.cells):
            raise ValueError(f"{len(self.patients)} numbers for {len(self.cells)} cells")

    @property
    def cells(self) -> tuple[tuple[str, str], ...]:
        """The attribute and word of every number."""
        return cells(self.finer)

    @classmethod
    def from_plain(cls, values: Mapping[str, Any]) -> Composition:
        """Read what ``dataclasses.asdict`` made and JSON kept; earlier ones have no finer words.

        Raises:
            ValueError, KeyError, TypeError, AttributeError: If it is damaged.
        """
        finer = {
            str(attribute): tuple(map(str, words))
            for attribute, words in values.get("finer", {}).items()
        }
        if not finer.keys() <= FINER.keys():
            raise ValueError("unknown attributes")
        return cls(
            patients=tuple(map(float, values["patients"])),
            deviation=float(values["deviation"]),
            noise_multiplier=float(values["noise_multiplier"]),
            delta=float(values["delta"]),
            finer=finer,
        )
