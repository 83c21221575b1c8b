"""Are synthetic images nearer to patients trained on than patients nobody saw are?"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from ..halves import first_half
from ..measures.bootstrap import interval, patient_weights
from ..measures.memorisation import nearest
from ..measures.results import Interval

#: Choices of training patients that the share of the nearer ones is a mean over.
_CHOICES = 50
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
            as many held-out ones, a mean over choices of the former; one half if nothing is
            remembered.
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
    distances = nearest(synthetic, train.values).distances.double().numpy()
    holdout_distances = nearest(holdout.values, train.values).distances.double().numpy()
    of_patients = patient_weights(holdout.patients, resamples=resamples, seed=seed)
    of_images = patient_weights(
        [str(index) for index in range(len(distances))], resamples=resamples, seed=seed + 1
    )
    choose = first_half(holdout.patients, seed)
    threshold = float(np.quantile(holdout_distances[choose], CLOSE))
    close = (distances < threshold).astype(np.float64)
    return Copies(
        ratio=interval(
            _medians(distances, of_images)
            / np.maximum(_medians(holdout_distances, of_patients), 1e-9)
        ),
        close_share=interval(of_images @ close / len(distances)),
        close_baseline=float((holdout_distances[~choose] < threshold).mean()),
        nearest_share=interval(
            _nearest_train(synthetic, train, holdout, of_images, resamples=resamples, seed=seed)
        ),
    )


def _nearest_train(
    synthetic: Tensor,
    train: Vectors,
    holdout: Vectors,
    of_images: NDArray[np.int64],
    *,
    resamples: int,
    seed: int,
) -> NDArray[np.float64]:
    """Share of images nearer to training patients than to as many held-out ones, ``[1 + B]``.

    Which patients are compared matters as much as which are held out: a few typical images lie near
    to many. So each resample draws training patients anew, and the value itself is a mean over
    choices of them.
    """
    own, other = (torch.cdist(synthetic, side.values).double().numpy() for side in (train, holdout))
    patients, owner = np.unique(np.array(train.patients), return_inverse=True)
    holdout_patients, keeper = np.unique(np.array(holdout.patients), return_inverse=True)
    rng = np.random.default_rng((seed, 8))

    def share(images: NDArray[np.int64], counts: NDArray[np.int64]) -> float:
        # A patient who is not drawn is not there; one drawn twice is as near as once.
        present = rng.permutation(np.flatnonzero(counts))[: len(patients)]
        sample = rng.permutation(len(patients))[: len(present)]
        ours = rng.permutation(np.flatnonzero(np.isin(owner, sample)))
        theirs = rng.permutation(np.flatnonzero(np.isin(keeper, present)))
        count = min(len(ours), len(theirs))  # more images of a patient would be nearer, too
        nearest_own = own[:, ours[:count]].min(axis=1)
        nearest_other = other[:, theirs[:count]].min(axis=1)
        nearer = (nearest_own < nearest_other) + (nearest_own == nearest_other) / 2
        return float((images * nearer).mean())

    draws = patient_weights(holdout_patients.tolist(), resamples=resamples, seed=seed + 3)
    whole = np.mean([share(of_images[0], draws[0]) for _ in range(_CHOICES)])
    resampled_shares = [share(*both) for both in zip(of_images[1:], draws[1:], strict=True)]
    return np.array([whole, *resampled_shares])


def _medians(values: NDArray[np.float64], weights: NDArray[np.int64]) -> NDArray[np.float64]:
    order = np.argsort(values)
    counts = np.cumsum(weights[:, order], axis=1)
    middle = (counts >= counts[:, -1:] / 2).argmax(axis=1)
    return values[order][middle]
