"""Train on synthetic images, test on real held-out patients."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from ...model.description import Description
from .bootstrap import balanced_accuracy, interval, macro_auc, patient_weights
from .classifier import predict, train_classifier
from .image_sets import ImageSet
from .results import TaskUtility
from .settings import EvaluationSettings
from .tasks import Task


@dataclass(frozen=True, kw_only=True)
class TaskBench:
    """One task with its held-out patients; every training set is scored on the same ones.

    Attributes:
        task: The task.
        images: Held-out images of the task's classes, ``[N, H, W]`` in [-1, 1].
        labels: Their classes, ``[N]``.
        weights: Bootstrap weights ``[1 + B, N]``, by patient.
    """

    task: Task
    images: NDArray[np.float32]
    labels: NDArray[np.int64]
    weights: NDArray[np.int64]

    @classmethod
    def of(cls, task: Task, holdout: ImageSet, settings: EvaluationSettings) -> TaskBench:
        """Set up a task on held-out images."""
        labels = task.labels(holdout.descriptions)
        part = np.flatnonzero(labels >= 0)
        return cls(
            task=task,
            images=holdout.images[part],
            labels=labels[part],
            weights=patient_weights(
                [holdout.patients[i] for i in part],
                resamples=settings.bootstrap,
                seed=settings.seed,
            ),
        )


@dataclass(frozen=True, kw_only=True)
class Scores:
    """Scores of one training set: resampled values of the classifiers' common answer.

    Attributes:
        auc: ``[1 + B]``; the first is on the data as they are.
        accuracy: ``[1 + B]``, balanced over the classes.
        seed_aucs: The AUC of each classifier alone.
        images: Training images of the task's classes.
    """

    auc: NDArray[np.float64]
    accuracy: NDArray[np.float64]
    seed_aucs: tuple[float, ...]
    images: int


def score(
    bench: TaskBench,
    images: NDArray[np.float32],
    descriptions: Sequence[Description],
    settings: EvaluationSettings,
) -> Scores:
    """Train classifiers on some images and score them on the bench's held-out patients.

    Their probabilities are averaged: what one of them learns from synthetic images depends on
    its first weights more than a patient more or less matters (deep ensembles, Lakshminarayanan
    et al., NeurIPS 2017).

    Args:
        bench: The task.
        images: ``[N, H, W]`` in [-1, 1], every class of the task among them.
        descriptions: What each is, or was asked to show.
        settings: Steps and seeds of the classifiers.
    """
    labels = bench.task.labels(descriptions)
    part = np.flatnonzero(labels >= 0)
    answers = []
    for number in range(settings.classifier_seeds):
        network = train_classifier(
            images[part],
            labels[part],
            classes=len(bench.task.classes),
            steps=settings.classifier_steps,
            seed=settings.seed + number,
        )
        answers.append(predict(network, bench.images))
    together = np.mean(answers, axis=0)
    return Scores(
        auc=macro_auc(together, bench.labels, bench.weights),
        accuracy=balanced_accuracy(together, bench.labels, bench.weights),
        seed_aucs=tuple(
            float(macro_auc(answer, bench.labels, bench.weights[:1])[0]) for answer in answers
        ),
        images=len(part),
    )


def summarise(task: Task, scores: Scores, real: Scores | None = None) -> TaskUtility:
    """Turn scores into values with intervals, also as a share of training on real images.

    The share is resampled together: the same held-out patients for both.
    """
    return TaskUtility(
        task=task.key,
        train_images=scores.images,
        auc=interval(scores.auc),
        accuracy=interval(scores.accuracy),
        seed_aucs=scores.seed_aucs,
        auc_of_real=interval(scores.auc / real.auc) if real else None,
        accuracy_of_real=interval(scores.accuracy / real.accuracy) if real else None,
    )
