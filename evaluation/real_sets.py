"""Real images to compare with: training patients and held-out patients."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from ..errors import DataError
from ..model.description import Description
from ..model.example import Example


@dataclass(frozen=True, kw_only=True)
class ImageSet:
    """Real images as parallel arrays.

    Attributes:
        images: float32 ``[N, H, W]`` in [-1, 1].
        descriptions: What each image shows.
        positions: float32 ``[N]``, slice positions in [0, 1].
        patients: Opaque patient key of each image.
    """

    images: NDArray[np.float32]
    descriptions: tuple[Description, ...]
    positions: NDArray[np.float32]
    patients: tuple[str, ...]

    def __len__(self) -> int:
        return len(self.patients)

    @property
    def patient_count(self) -> int:
        """Number of different patients."""
        return len(set(self.patients))

    @classmethod
    def of(cls, examples: Iterable[tuple[str, Example]]) -> ImageSet:
        """Stack ``(patient key, example)`` pairs.

        Raises:
            DataError: If there is no example or the images differ in shape.
        """
        pairs = list(examples)
        if not pairs:
            raise DataError(
                "There are no real images to evaluate against.",
                hint="Check that the sites have held-out patients (data.holdout_fraction).",
            )
        shapes = {example.image.shape for _, example in pairs}
        if len(shapes) > 1:
            raise DataError(f"Real images differ in shape: {sorted(shapes)}.")
        return cls(
            images=np.stack([example.image for _, example in pairs]).astype(np.float32),
            descriptions=tuple(example.description for _, example in pairs),
            positions=np.array([example.position for _, example in pairs], np.float32),
            patients=tuple(patient for patient, _ in pairs),
        )

    def select(self, indices: Sequence[int] | NDArray[np.integer]) -> ImageSet:
        """Return the images at ``indices``, in that order."""
        chosen = np.asarray(indices, dtype=np.int64)
        return ImageSet(
            images=self.images[chosen],
            descriptions=tuple(self.descriptions[i] for i in chosen),
            positions=self.positions[chosen],
            patients=tuple(self.patients[i] for i in chosen),
        )

    def thin(self, limit: int, seed: int) -> ImageSet:
        """Keep at most ``limit`` images, as evenly spread over the patients as possible.

        Images are taken in turns: a random one of every patient, then a second one of
        every patient, and so on. The kept images stay in their order.
        """
        if len(self) <= limit:
            return self
        rng = np.random.default_rng(seed)
        turn: dict[str, int] = {}
        turns = np.empty(len(self), np.int64)
        for index in rng.permutation(len(self)):
            patient = self.patients[index]
            turns[index] = turn[patient] = turn.get(patient, -1) + 1
        order = np.lexsort((rng.random(len(self)), turns))
        return self.select(np.sort(order[:limit]))


@dataclass(frozen=True, kw_only=True)
class RealSets:
    """The real images of an evaluation; no patient is in both sets.

    Attributes:
        train: Images of patients the generators were trained on.
        holdout: Images of patients that no generator has seen.
    """

    train: ImageSet
    holdout: ImageSet

    def __post_init__(self) -> None:
        shared = set(self.train.patients) & set(self.holdout.patients)
        if shared:
            raise DataError(
                f"{len(shared)} patients are both trained on and held out.",
                hint="Prefix the patient keys with the site, and split by patient.",
            )
        if self.train.images.shape[1:] != self.holdout.images.shape[1:]:
            raise DataError(
                f"Training images are {self.train.images.shape[1:]}, held-out images "
                f"{self.holdout.images.shape[1:]} pixels."
            )
