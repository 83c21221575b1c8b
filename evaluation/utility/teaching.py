"""Few real images and many synthetic ones: classifiers taught by the real alone, and by both.

By both in two ways. One learns from the synthetic images first and then from the real ones alone,
which helped more in the largest study of it (RoentGen-v2, arXiv 2508.16783: 6.5 % against 2.7 %).
The other learns from both at once: in each class half of a batch is real and half synthetic, as a
few real images would otherwise drown (Azizi et al. 2023, arXiv 2304.08466).
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from ...common.progress import Progress, no_progress
from ..measures.bootstrap import balanced_accuracy, interval, macro_auc, patient_weights
from ..measures.classifier import predict, train_classifier
from ..measures.image_sets import ImageSet, RealSets
from ..measures.results import Interval
from ..measures.settings import EvaluationSettings
from ..measures.tasks import Task
from ..settings import ExaminationSettings

#: The row of the real images by themselves.
_ALONE = ("alone", "")


@dataclass(frozen=True, kw_only=True)
class Pool:
    """Synthetic images with the classes that they were asked to show.

    Attributes:
        images: ``[N, H, W]`` in [-1, 1].
        labels: ``[N]``.
    """

    images: NDArray[np.float32]
    labels: NDArray[np.int64]


@dataclass(frozen=True, kw_only=True)
class Added:
    """What one generator's images add, in one of both ways.

    Attributes:
        auc: AUC on real images; mean over the repetitions.
        accuracy: Balanced accuracy, likewise.
        auc_gain: AUC less that of the same real images alone.
        accuracy_gain: Balanced accuracy less that of the same real images alone.
        seed_aucs: AUC of each repetition.
    """

    auc: Interval
    accuracy: Interval
    auc_gain: Interval
    accuracy_gain: Interval
    seed_aucs: tuple[float, ...]


@dataclass(frozen=True, kw_only=True)
class Taught:
    """What one generator's images add.

    Attributes:
        before: To a classifier that learns from them before it learns from the real ones.
        together: To one that learns from both at once.
    """

    before: Added
    together: Added


@dataclass(frozen=True, kw_only=True)
class _Scores:
    """Scores ``[S, 1 + B]`` of S repetitions on the data as they are and B resamples of them."""

    auc: NDArray[np.float64]
    accuracy: NDArray[np.float64]


def teach_besides(
    task: Task,
    rare: int,
    real: RealSets,
    pools: Mapping[str, Pool],
    settings: ExaminationSettings,
    evaluation: EvaluationSettings,
    *,
    on_progress: Progress = no_progress,
) -> tuple[Added, dict[str, Taught]]:
    """Score what few real images teach alone, after each pool, and mixed with it.

    Every repetition draws other real images and starts from other weights, the same for all
    pools. Intervals come from drawing repetitions and held-out patients together, with
    replacement; gains are resampled in pairs.

    Args:
        task: The task.
        rare: Its class that is rare among the real images.
        real: Training and held-out images.
        pools: Synthetic images by generator.
        settings: Counts of images, repetitions and steps.
        evaluation: Bootstrap and seed.
        on_progress: Told how many of the classifiers are trained.

    Returns:
        Of the real images alone, whose gains are 0, and of each pool.
    """
    labels = task.labels(real.holdout.descriptions)
    part = np.flatnonzero(labels >= 0)
    test_images, truth = real.holdout.images[part], labels[part]
    weights = patient_weights(
        [real.holdout.patients[i] for i in part],
        resamples=evaluation.bootstrap,
        seed=evaluation.seed,
    )
    nothing = Pool(
        images=np.empty((0, *test_images.shape[1:]), np.float32), labels=np.empty(0, np.int64)
    )
    rows: dict[tuple[str, str], list[_Scores]] = {
        _ALONE: [],
        **{(way, name): [] for name in pools for way in ("before", "together")},
    }
    for number in range(settings.utility_seeds):
        seed = evaluation.seed + number
        few = draw_few(task, rare, real.train, settings, seed)
        own = task.labels([real.train.descriptions[i] for i in few])
        for place, ((way, name), row_scores) in enumerate(rows.items()):
            number_done = number * len(rows) + place
            on_progress("training classifiers", number_done, settings.utility_seeds * len(rows))
            start, pool = None, pools[name] if way == "together" else nothing
            if way == "before":
                start = train_classifier(
                    pools[name].images,
                    pools[name].labels,
                    classes=len(task.classes),
                    steps=settings.utility_steps,
                    seed=seed,
                )
            network = train_classifier(
                np.concatenate([real.train.images[few], pool.images]),
                np.concatenate([own, pool.labels]),
                classes=len(task.classes),
                steps=settings.utility_steps,
                seed=seed,
                is_extra=np.arange(len(few) + len(pool.labels)) >= len(few),
                start=start,
            )
            prediction = predict(network, test_images)
            row_scores.append(
                _Scores(
                    auc=macro_auc(prediction, truth, weights),
                    accuracy=balanced_accuracy(prediction, truth, weights),
                )
            )
    rng = np.random.default_rng((evaluation.seed, 12))
    draws = rng.integers(
        settings.utility_seeds, size=(evaluation.bootstrap, settings.utility_seeds)
    )
    arrays = {
        row: _Scores(
            auc=np.stack([one.auc for one in row_scores]),
            accuracy=np.stack([one.accuracy for one in row_scores]),
        )
        for row, row_scores in rows.items()
    }
    summaries = {row: _summary(scores, arrays[_ALONE], draws) for row, scores in arrays.items()}
    return summaries[_ALONE], {
        name: Taught(before=summaries["before", name], together=summaries["together", name])
        for name in pools
    }


def draw_few(
    task: Task, rare: int, train: ImageSet, settings: ExaminationSettings, seed: int
) -> NDArray[np.int64]:
    """Draw real training images among which one class is rare.

    Args:
        task: The task.
        rare: The rare class.
        train: Training images.
        settings: How many, and which share is of the rare class.
        seed: Seed of the draw.

    Returns:
        Indices; at least two images of every class, fewer of a class that has fewer.
    """
    labels = task.labels(train.descriptions)
    rng = np.random.default_rng((seed, 13))
    scarce = max(2, round(settings.real_images * settings.rare_share))
    others = len(task.classes) - 1
    plenty = max(2, (settings.real_images - scarce) // others)
    rows = []
    for value in range(len(task.classes)):
        members = rng.permutation(np.flatnonzero(labels == value))
        rows.append(members[: scarce if value == rare else plenty])
    return np.concatenate(rows)


def _summary(scores: _Scores, alone: _Scores, draws: NDArray[np.int64]) -> Added:
    def mean(values: NDArray[np.float64]) -> Interval:
        resamples = values[draws, np.arange(1, values.shape[1])[:, None]].mean(axis=1)
        return interval(np.concatenate([values[:, 0].mean(keepdims=True), resamples]))

    return Added(
        auc=mean(scores.auc),
        accuracy=mean(scores.accuracy),
        auc_gain=mean(scores.auc - alone.auc),
        accuracy_gain=mean(scores.accuracy - alone.accuracy),
        seed_aucs=tuple(float(value) for value in scores.auc[:, 0]),
    )
