"""Which prompts a generator is sampled with for an evaluation.

Prompts are (description, position) pairs of real training images, so that the synthetic
images have the composition of the real ones; those of the gallery are pairs of held-out
images, so that a synthetic image stands beside the real one of the same prompt.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from ...model.description import Description
from .image_sets import ImageSet, RealSets
from .settings import EvaluationSettings
from .tasks import Task


def topic(description: Description) -> Description:
    """The description without sex, age band and contrast medium."""
    return replace(description, sex="", age_band="", contrast="")


@dataclass(frozen=True, kw_only=True)
class Prompts:
    """Prompts of one purpose, as parallel arrays.

    Attributes:
        descriptions: What each image is to show.
        positions: float32 ``[N]``, slice positions in [0, 1].
    """

    descriptions: tuple[Description, ...]
    positions: NDArray[np.float32]

    def __len__(self) -> int:
        return len(self.descriptions)

    @property
    def captions(self) -> tuple[str, ...]:
        """The captions of the descriptions."""
        return tuple(description.caption() for description in self.descriptions)

    @classmethod
    def copied(cls, images: ImageSet, indices: Sequence[int] | NDArray[np.integer]) -> Prompts:
        """The descriptions and positions of the given images."""
        return cls(
            descriptions=tuple(images.descriptions[i] for i in indices),
            positions=images.positions[np.asarray(indices, np.int64)],
        )


@dataclass(frozen=True, kw_only=True)
class PromptPlan:
    """Everything one generator is asked for.

    Attributes:
        counterparts: The composition of the training images.
        extra: Additional prompts of classes that ``counterparts`` has too few of.
        gallery: Indices of held-out images per row of the gallery; each is both shown
            and used as a prompt.
        gallery_prompts: The prompts of ``gallery``, rows one after another.
    """

    counterparts: Prompts
    extra: Prompts
    gallery: tuple[tuple[int, ...], ...]
    gallery_prompts: Prompts

    @property
    def captions(self) -> tuple[str, ...]:
        """All captions: matched, extra, gallery."""
        return self.counterparts.captions + self.extra.captions + self.gallery_prompts.captions

    @property
    def positions(self) -> NDArray[np.float32]:
        """All positions, in the order of :attr:`captions`."""
        return np.concatenate(
            [self.counterparts.positions, self.extra.positions, self.gallery_prompts.positions]
        )


def plan_prompts(real: RealSets, tasks: Sequence[Task], settings: EvaluationSettings) -> PromptPlan:
    """Plan the prompts; the same for every generator, and deterministic by the seed."""
    rng = np.random.default_rng((settings.seed, 1))
    train_rows = _cycle(rng, np.arange(len(real.train)), settings.samples)
    copies = Prompts.copied(real.train, train_rows)
    extra: list[int] = []
    for task in tasks:
        train_labels = task.labels(real.train.descriptions)
        have = train_labels[np.concatenate([train_rows, np.array(extra, np.int64)])]
        for value in range(len(task.classes)):
            lacking = settings.samples_per_class - int(np.sum(have == value))
            if lacking > 0:
                extra += _cycle(rng, np.flatnonzero(train_labels == value), lacking).tolist()
    rows = _gallery_rows(real.holdout, tasks, settings, rng)
    return PromptPlan(
        counterparts=copies,
        extra=Prompts.copied(real.train, extra),
        gallery=rows,
        gallery_prompts=Prompts.copied(real.holdout, [i for row in rows for i in row]),
    )


def _cycle(
    rng: np.random.Generator, population: NDArray[np.int64], count: int
) -> NDArray[np.int64]:
    """Draw ``count`` items, each at most once more often than any other."""
    rounds = [rng.permutation(population) for _ in range(-(-count // len(population)))]
    return np.concatenate(rounds)[:count]


def _gallery_rows(
    holdout: ImageSet, tasks: Sequence[Task], settings: EvaluationSettings, rng: np.random.Generator
) -> tuple[tuple[int, ...], ...]:
    """Choose topics for the rows, the tasks' classes in turn first, then by frequency."""
    members: dict[Description, list[int]] = {}
    for index in rng.permutation(len(holdout)):
        members.setdefault(topic(holdout.descriptions[index]), []).append(int(index))
    by_size = sorted(members, key=lambda key: (-len(members[key]), key.caption()))

    choice: list[Description] = []
    labels = [(task, value) for task in tasks for value in range(len(task.classes))]
    for task, value in labels:
        if not any(task.label(key) == value for key in choice):
            choice += [key for key in by_size if key not in choice and task.label(key) == value][:1]
    choice += [key for key in by_size if key not in choice]
    rows = sorted(choice[: settings.gallery_prompts], key=Description.caption)
    return tuple(
        tuple(_different_patients(holdout, members[key])[: settings.gallery_columns])
        for key in rows
    )


def _different_patients(images: ImageSet, indices: Sequence[int]) -> list[int]:
    """Order the indices so that every patient comes once before any comes twice."""
    counts: dict[str, int] = {}
    turns = []
    for index in indices:
        patient = images.patients[index]
        turns.append(counts.get(patient, 0))
        counts[patient] = turns[-1] + 1
    return [index for _, index in sorted(zip(turns, indices, strict=True), key=lambda t: t[0])]
