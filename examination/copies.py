"""Are synthetic images nearer to patients trained on than patients nobody saw are?"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from ..evaluation.bootstrap import interval, patient_weights
from ..evaluation.memorisation import nearest
from ..evaluation.real_sets import ImageSet, RealSets
from ..evaluation.results import Interval
from .halves import first_half

#: A synthetic image is close to a training image if it is closer than this share of held-out
#: images are.
CLOSE = 0.05


@dataclass(frozen=True, kw_only=True)
class Copies:
    """Nearness to training images in one space.

    Attributes:
        ratio: Median distance of synthetic images to the nearest training image, by that of
            held-out images.
        close_share: Share of synthetic images below the threshold.
        close_baseline: Share of the reporting half of the held-out images below it.
        nearest_share: Share of synthetic images that are nearer to patients trained on than to
            as many held-out ones; one half if nothing is remembered.
    """

    ratio: Interval
    close_share: Interval
    close_baseline: float
    nearest_share: Interval


@dataclass(frozen=True, kw_only=True)
class Vectors:
    """Images in the space they are compared in, with whose they are.

    Attributes:
        values: ``[N, D]``.
        patients: Patient of each.
    """

    values: Tensor
    patients: tuple[str, ...]


def find_copies(
    synthetic: Tensor, train: Vectors, holdout: Vectors, *, resamples: int, seed: int
) -> Copies:
    """Compare distances of synthetic and of held-out images to training images.

    The threshold of closeness is chosen on half of the held-out patients and reported with the
    share of the other half. The nearest-of-two comparison is that of Meehan et al. 2020 (arXiv
    2004.05675): unlike a distance, it does not mistake blurred images, near to everybody, for
    copies.

    Args:
        synthetic: ``[S, D]``.
        train: Training images.
        holdout: Held-out images.
        resamples: Bootstrap resamples, of patients and of synthetic images.
        seed: Seed of everything random.
    """
    made = nearest(synthetic, train.values).distances.double().numpy()
    unseen = nearest(holdout.values, train.values).distances.double().numpy()
    of_patients = patient_weights(holdout.patients, resamples=resamples, seed=seed)
    of_images = patient_weights(
        [str(index) for index in range(len(made))], resamples=resamples, seed=seed + 1
    )
    choose = first_half(holdout.patients, seed)
    threshold = float(np.quantile(unseen[choose], CLOSE))
    close = (made < threshold).astype(np.float64)
    return Copies(
        ratio=interval(_medians(made, of_images) / np.maximum(_medians(unseen, of_patients), 1e-9)),
        close_share=interval(of_images @ close / len(made)),
        close_baseline=float((unseen[~choose] < threshold).mean()),
        nearest_share=interval(
            _nearest_train(synthetic, train, holdout, of_images, resamples=resamples, seed=seed)
        ),
    )


def equal_sets(real: RealSets, *, limit: int, seed: int) -> RealSets:
    """Take as many training patients as held-out ones, and as many images of either.

    Args:
        real: All images.
        limit: Images of a side at most.
        seed: Seed of the choice.
    """
    count = min(real.train.patient_count, real.holdout.patient_count)
    sides = [_some_patients(side, count, seed) for side in (real.train, real.holdout)]
    images = min(limit, *map(len, sides))
    return RealSets(train=sides[0].thin(images, seed), holdout=sides[1].thin(images, seed))


def _some_patients(images: ImageSet, count: int, seed: int) -> ImageSet:
    keys, owner = np.unique(np.array(images.patients), return_inverse=True)
    kept = np.zeros(len(keys), bool)
    kept[np.random.default_rng((seed, 8)).permutation(len(keys))[:count]] = True
    return images.select(np.flatnonzero(kept[owner]))


def _nearest_train(
    synthetic: Tensor,
    train: Vectors,
    holdout: Vectors,
    of_images: NDArray[np.int64],
    *,
    resamples: int,
    seed: int,
) -> NDArray[np.float64]:
    """Share of images nearer to training patients, under resampling of images and patients."""
    sides = []
    for shift, side in enumerate((train, holdout)):
        distances, keys = _to_patients(synthetic, side)
        weights = patient_weights(keys, resamples=resamples, seed=seed + 2 + shift)
        # A patient who is not drawn is not there; one drawn twice is as near as once.
        sides.append([distances[:, drawn > 0].min(axis=1) for drawn in weights])
    own, other = map(np.array, sides)
    nearer = (own < other) + (own == other) / 2
    share: NDArray[np.float64] = (of_images * nearer).mean(axis=1)
    return share


def _to_patients(synthetic: Tensor, side: Vectors) -> tuple[NDArray[np.float64], list[str]]:
    """Distance of each image to the nearest image of each patient, ``[S, P]``."""
    keys, owner = np.unique(np.array(side.patients), return_inverse=True)
    distances = torch.cdist(synthetic, side.values)
    least = torch.full((len(synthetic), len(keys)), torch.inf)
    index = torch.from_numpy(owner).expand_as(distances)
    return least.scatter_reduce(1, index, distances, "amin").double().numpy(), keys.tolist()


def _medians(values: NDArray[np.float64], weights: NDArray[np.int64]) -> NDArray[np.float64]:
    order = np.argsort(values)
    counts = np.cumsum(weights[:, order], axis=1)
    middle = (counts >= counts[:, -1:] / 2).argmax(axis=1)
    return values[order][middle]
