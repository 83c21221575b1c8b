"""Real images to compare with: training patients and held-out patients."""

from __future__ import annotations

import heapq
import itertools
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import TypeVar

import numpy as np
from numpy.typing import NDArray

from ...common.counted import counted
from ...errors import DataError
from ...model.description import Description
from ...model.example import Example

_T = TypeVar("_T")


@dataclass(frozen=True, kw_only=True)
class ImageSet:
    """Real images as parallel arrays.

    Attributes:
        images: float32 ``[N, H, W]`` in [-1, 1].
        descriptions: What each image shows.
        positions: float32 ``[N]``, slice positions in [0, 1].
        patients: Opaque patient key of each image.
        masks: Label map ``[H, W]`` of each image, ``None`` where it has none; empty where no
            image has one.
        sites: Site of each image, to compare sites; empty where unknown. Like the scanners, only
            ever filled where the images are: at the site, or in a simulation.
        scanners: Coded scanner of each image; empty where unknown.
    """

    images: NDArray[np.float32]
    descriptions: tuple[Description, ...]
    positions: NDArray[np.float32]
    patients: tuple[str, ...]
    masks: tuple[NDArray[np.uint8] | None, ...] = ()
    sites: tuple[str, ...] = ()
    scanners: tuple[str, ...] = ()

    def __len__(self) -> int:
        return len(self.patients)

    @property
    def patient_count(self) -> int:
        """Number of different patients."""
        return len(set(self.patients))

    @classmethod
    def of(
        cls, examples: Iterable[tuple[str, Example]], *, limit: int | None = None, seed: int = 0
    ) -> ImageSet:
        """Stack ``(patient key, example)`` pairs, at most ``limit`` of them.

        They are spread over the patients as evenly as possible: images are kept in turns, a
        random one of every patient, then a second one of every patient, and so on. No more
        than ``limit`` examples and one patient's are in memory at a time.

        Args:
            examples: The pairs, the examples of a patient one after another.
            limit: Images kept at most; all without it. They stay in their order.
            seed: Seed of the choice.

        Raises:
            DataError: If there is no example or the images differ in shape.
        """
        choice = _spread(examples, limit, np.random.default_rng((seed, 4)))
        if not choice:
            raise DataError(
                "There are no real images to evaluate against.",
                hint="Check that the sites have held-out patients (data.holdout_fraction).",
            )
        shapes = {example.image.shape for _, example in choice}
        if len(shapes) > 1:
            raise DataError(f"Real images differ in shape: {sorted(shapes)}.")
        return cls(
            images=np.stack([example.image for _, example in choice]).astype(np.float32),
            descriptions=tuple(example.description for _, example in choice),
            positions=np.array([example.position for _, example in choice], np.float32),
            patients=tuple(patient for patient, _ in choice),
            masks=_given([example.mask for _, example in choice]),
        )

    def select(self, indices: Sequence[int] | NDArray[np.integer]) -> ImageSet:
        """Return the images at ``indices``, in that order."""
        rows = np.asarray(indices, dtype=np.int64)
        return ImageSet(
            images=self.images[rows],
            descriptions=tuple(self.descriptions[i] for i in rows),
            positions=self.positions[rows],
            patients=tuple(self.patients[i] for i in rows),
            masks=tuple(self.masks[i] for i in rows) if self.masks else (),
            sites=tuple(self.sites[i] for i in rows) if self.sites else (),
            scanners=tuple(self.scanners[i] for i in rows) if self.scanners else (),
        )

    def thin(self, limit: int, seed: int) -> ImageSet:
        """Keep at most ``limit`` images, spread over the patients as :meth:`of` does."""
        if len(self) <= limit:
            return self
        pairs = zip(self.patients, range(len(self)), strict=True)
        choice = _spread(pairs, limit, np.random.default_rng((seed, 4)))
        return self.select([index for _, index in choice])


def _given(masks: list[NDArray[np.uint8] | None]) -> tuple[NDArray[np.uint8] | None, ...]:
    return tuple(masks) if any(mask is not None for mask in masks) else ()


def _spread(
    examples: Iterable[tuple[str, _T]], limit: int | None, rng: np.random.Generator
) -> list[tuple[str, _T]]:
    """Keep the examples of the earliest turns; within a turn, at random."""
    # A heap whose first item is the one to give up next; the index keeps items comparable.
    heap: list[tuple[int, float, int, tuple[str, _T]]] = []
    index = 0
    for _, pairs in itertools.groupby(examples, key=lambda pair: pair[0]):
        own = list(pairs)
        for turn, pair in zip(rng.permutation(len(own)).tolist(), own, strict=True):
            item = (-turn, rng.random(), index, pair)
            index += 1
            if limit is None or len(heap) < limit:
                heapq.heappush(heap, item)
            else:
                heapq.heappushpop(heap, item)
    return [pair for _, _, _, pair in sorted(heap, key=lambda item: item[2])]


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
        both = set(self.train.patients) & set(self.holdout.patients)
        if both:
            raise DataError(
                f"Both trained on and held out: {counted(len(both), 'patient')}.",
                hint="Prefix the patient keys with the site, and split by patient.",
            )
        if self.train.images.shape[1:] != self.holdout.images.shape[1:]:
            raise DataError(
                f"Training images are {self.train.images.shape[1:]}, held-out images "
                f"{self.holdout.images.shape[1:]} pixels."
            )
