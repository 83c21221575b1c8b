"""Naming the hospital of a generated image, by a network that learnt to tell the real ones.

Scanners, protocols and marks leave traces by which a network names the hospital of an image that it
never saw. A generator that has learnt such a trace draws it, and its images name the hospital. The
same prompts drawn by the generator before the training say how often that happens without.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from ..halves import first_half
from ..measures.bootstrap import interval, patient_weights, weighted_auc
from ..measures.classifier import predict, train_classifier
from ..measures.image_sets import ImageSet
from ..measures.results import Interval

#: Real images of other hospitals of which at most this share is taken for the hospital's own.
FALSE_POSITIVES = 0.05
#: Networks whose answers are averaged.
_NETWORKS = 2


@dataclass(frozen=True, kw_only=True)
class Naming:
    """How surely one hospital is named.

    Attributes:
        hospital: Its name.
        real: AUC of telling its held-out images from those of others; 0.5 is a guess.
        synthetic: Share of generated images taken for its own, at a threshold that lets 5 % of the
            others' real images through.
        before: The same of what the generator drew before the training; of the others' real images
            where that is not there.
        excess: ``synthetic`` less ``before``.
    """

    hospital: str
    real: Interval
    synthetic: Interval
    before: Interval
    excess: Interval

    @property
    def can_be_told(self) -> bool:
        """Whether its real images can be told at all: else there is no trace to be drawn."""
        return self.real.low > 0.5


def name_hospitals(
    train: ImageSet,
    holdout: ImageSet,
    synthetic: NDArray[np.float32],
    before: NDArray[np.float32] | None,
    *,
    steps: int,
    resamples: int,
    seed: int,
) -> tuple[Naming, ...]:
    """Try to name the hospital of generated images.

    Intervals are narrow enough in the share of resamples that they hold for all hospitals at once
    (Bonferroni): the most suspicious one is looked at.

    Args:
        train: Real images that the network learns from, with their sites.
        holdout: Real images of other patients, with their sites.
        synthetic: Generated images ``[N, H, W]`` in [-1, 1].
        before: What was drawn with the same prompts and noise before the training, ``[N, H, W]``.
        steps: Training steps of a network.
        resamples: Bootstrap resamples of patients and of images.
        seed: Seed of networks, halves and resamples.

    Returns:
        One for each hospital that has images in both sets.

    Raises:
        DataError: If there are fewer than two held-out patients.
    """
    names = sorted(set(train.sites) & set(holdout.sites))
    rows = np.flatnonzero(np.isin(train.sites, names))
    labels = np.searchsorted(names, np.array(train.sites)[rows])
    networks = [
        train_classifier(
            train.images[rows], labels, classes=len(names), steps=steps, seed=seed + number
        )
        for number in range(_NETWORKS)
    ]

    def scores(images: NDArray[np.float32]) -> NDArray[np.float64]:
        probabilities: NDArray[np.float64] = np.mean(
            [predict(network, images) for network in networks], axis=0
        )
        return probabilities

    real, after = scores(holdout.images), scores(synthetic)
    earlier = scores(before) if before is not None else None
    weights = patient_weights(holdout.patients, resamples=resamples, seed=seed)
    image_weights = patient_weights(
        [f"{number:06}" for number in range(len(synthetic))], resamples=resamples, seed=seed + 1
    )
    choosing = first_half(holdout.patients, seed)
    return tuple(
        _naming(
            name,
            real[:, column],
            np.array(holdout.sites) == name,
            after[:, column],
            earlier[:, column] if earlier is not None else None,
            weights=weights,
            image_weights=image_weights,
            choosing=choosing,
            misses=0.05 / len(names),
        )
        for column, name in enumerate(names)
    )


def _naming(
    name: str,
    real: NDArray[np.float64],
    own: NDArray[np.bool_],
    after: NDArray[np.float64],
    earlier: NDArray[np.float64] | None,
    *,
    weights: NDArray[np.int64],
    image_weights: NDArray[np.int64],
    choosing: NDArray[np.bool_],
    misses: float,
) -> Naming:
    others = real[~own & choosing]
    threshold = np.quantile(others, 1 - FALSE_POSITIVES, method="higher") if len(others) else 1.0
    share = _shares(after > threshold, image_weights)
    if earlier is not None:
        before = _shares(earlier > threshold, image_weights)
    else:
        before = _shares(real > threshold, weights * (~own & ~choosing))
    return Naming(
        hospital=name,
        real=interval(weighted_auc(real, own, weights), misses=misses),
        synthetic=interval(share, misses=misses),
        before=interval(before, misses=misses),
        excess=interval(share - before, misses=misses),
    )


def _shares(above: NDArray[np.bool_], weights: NDArray[np.int64]) -> NDArray[np.float64]:
    total = weights.sum(axis=1)
    return np.divide(weights @ above, total, out=np.full(len(total), np.nan), where=total > 0)


def most_suspicious(namings: Sequence[Naming]) -> Naming | None:
    """Return the hospital that is named most, among those whose real images can be told."""
    possible = [one for one in namings if one.can_be_told]
    return max(possible, key=lambda one: one.excess.value, default=None)
