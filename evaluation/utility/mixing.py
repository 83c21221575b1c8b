"""Adding synthetic images to few real ones: classifiers trained with and without them.

In each class half of a batch is real and half synthetic, as a few real images would otherwise
drown: mixing of this kind is studied by Azizi et al. 2023, arXiv 2304.08466.
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
    """What one generator's images add.

    Attributes:
        auc: AUC of real and synthetic images together; mean over the repetitions.
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
class _Scores:
    """Scores ``[S, 1 + B]`` of S repetitions on the data as they are and B resamples of them."""

    auc: NDArray[np.float64]
    accuracy: NDArray[np.float64]


def add_to_real(
    task: Task,
    rare: int,
    real: RealSets,
    pools: Mapping[str, Pool],
    settings: ExaminationSettings,
    evaluation: EvaluationSettings,
    *,
    on_progress: Progress = no_progress,
) -> tuple[Added, dict[str, Added]]:
    """Score few real images alone, and with each pool added.

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
    rows: dict[str | None, list[_Scores]] = {None: [], **{name: [] for name in pools}}
    for number in range(settings.utility_seeds):
        seed = evaluation.seed + number
        few = draw_few(task, rare, real.train, settings, seed)
        own = task.labels([real.train.descriptions[i] for i in few])
        for place, (name, row_scores) in enumerate(rows.items()):
            number_done = number * len(rows) + place
            on_progress("training classifiers", number_done, settings.utility_seeds * len(rows))
            pool = nothing if name is None else pools[name]
            network = train_classifier(
                np.concatenate([real.train.images[few], pool.images]),
                np.concatenate([own, pool.labels]),
                classes=len(task.classes),
                steps=settings.utility_steps,
                seed=seed,
                is_extra=np.arange(len(few) + len(pool.labels)) >= len(few),
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
        name: _Scores(
            auc=np.stack([row.auc for row in row_scores]),
            accuracy=np.stack([row.accuracy for row in row_scores]),
        )
        for name, row_scores in rows.items()
    }
    summaries = {name: _summary(scores, arrays[None], draws) for name, scores in arrays.items()}
    return summaries[None], {name: summaries[name] for name in pools}


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
