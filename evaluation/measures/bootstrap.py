"""Scores under resampling of patients: images of one patient are no independent witnesses."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from .results import Interval


def patient_weights(patients: Sequence[str], *, resamples: int, seed: int) -> NDArray[np.int64]:
    """How often each image is drawn when patients are drawn with replacement.

    Args:
        patients: Patient key of each of N images.
        resamples: Number of bootstrap resamples.
        seed: Seed of the draws.

    Returns:
        int64 ``[1 + resamples, N]``; row 0 is all ones, the data as they are.
    """
    keys, owner = np.unique(np.array(patients), return_inverse=True)
    rng = np.random.default_rng((seed, 3))
    draws = rng.multinomial(len(keys), np.full(len(keys), 1 / len(keys)), size=resamples)
    return np.vstack([np.ones((1, len(owner)), np.int64), draws[:, owner]])


def weighted_auc(
    scores: NDArray[np.floating], positive: NDArray[np.bool_], weights: NDArray[np.int64]
) -> NDArray[np.float64]:
    """Area under the ROC curve under each row of weights.

    The probability that a positive image scores above a negative one, ties counted half.

    Args:
        scores: ``[N]``.
        positive: ``[N]``.
        weights: ``[B, N]``, how often each image counts.

    Returns:
        ``[B]``; NaN where a resample lacks one of the two classes.
    """
    _, rank = np.unique(scores, return_inverse=True)
    order = np.argsort(rank, kind="stable")
    starts = np.flatnonzero(np.diff(rank[order], prepend=-1))
    sorted_weights = weights[:, order].astype(np.float64)
    above = np.add.reduceat(sorted_weights * positive[order], starts, axis=1)
    below = np.add.reduceat(sorted_weights * ~positive[order], starts, axis=1)
    wins = np.sum(above * (np.cumsum(below, axis=1) - below / 2), axis=1)
    total = above.sum(axis=1) * below.sum(axis=1)
    return np.divide(wins, total, out=np.full(len(wins), np.nan), where=total > 0)


def macro_auc(
    probabilities: NDArray[np.floating], labels: NDArray[np.int64], weights: NDArray[np.int64]
) -> NDArray[np.float64]:
    """Mean over the classes of the one-against-rest AUC; for two classes the usual AUC.

    Args:
        probabilities: ``[N, K]``.
        labels: ``[N]`` in [0, K).
        weights: ``[B, N]``.

    Returns:
        ``[B]``; NaN where a resample lacks a class.
    """
    classes = probabilities.shape[1]
    if classes == 2:
        return weighted_auc(probabilities[:, 1], labels == 1, weights)
    return np.mean(
        [weighted_auc(probabilities[:, k], labels == k, weights) for k in range(classes)], axis=0
    )


def balanced_accuracy(
    probabilities: NDArray[np.floating], labels: NDArray[np.int64], weights: NDArray[np.int64]
) -> NDArray[np.float64]:
    """Mean over the classes of the share of their images that is classified right.

    Args:
        probabilities: ``[N, K]``.
        labels: ``[N]`` in [0, K).
        weights: ``[B, N]``.

    Returns:
        ``[B]``; chance is 1 / K; NaN where a resample lacks a class.
    """
    right = probabilities.argmax(axis=1) == labels
    recalls = []
    for value in range(probabilities.shape[1]):
        own = weights[:, labels == value].astype(np.float64)
        total = own.sum(axis=1)
        hits = own @ right[labels == value]
        recalls.append(np.divide(hits, total, out=np.full(len(hits), np.nan), where=total > 0))
    return np.mean(recalls, axis=0)


def interval(values: NDArray[np.float64], *, misses: float = 0.05) -> Interval:
    """The percentile interval that covers 95 % of the resamples.

    Args:
        values: ``[1 + B]``; the first is the value itself, the rest are resamples.
        misses: Share of the resamples outside; less of it where several are looked at together.
    """
    resamples = values[1:][np.isfinite(values[1:])]
    if not len(resamples):
        resamples = values[:1]
    low, high = np.percentile(resamples, [50 * misses, 100 - 50 * misses])
    return Interval(value=float(values[0]), low=float(low), high=float(high))
