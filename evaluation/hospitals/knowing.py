"""Telling a hospital by the weights: whose patients does the generator know better by training?

Only held-out patients are looked at, so that no patient is remembered: if the generator errs less
on a hospital's patients than the base does, and less so on others', it has learnt that hospital's
trace. Images are compared with images of the same kind, since a training makes some kinds better
known than others whoever has them.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from ..measures.bootstrap import interval, patient_weights, weighted_auc
from ..measures.image_sets import ImageSet
from ..measures.results import Interval


@dataclass(frozen=True, kw_only=True)
class Knowing:
    """How surely one hospital is told by how well its patients are known.

    Attributes:
        hospital: Its name.
        auc: Chance that a patient of its is better known, for the training, than one of others;
            0.5 is a guess.
        patients: Its held-out patients that could be compared.
        others: Those of other hospitals.
    """

    hospital: str
    auc: Interval
    patients: int
    others: int


def know_hospitals(
    errors: NDArray[np.float64], images: ImageSet, *, resamples: int, seed: int
) -> tuple[Knowing, ...]:
    """Try to tell hospitals apart by errors on their held-out images.

    Intervals hold for all hospitals at once (Bonferroni).

    Args:
        errors: Of each image, less those of the generator before the training, ``[N]``.
        images: The images, with their sites.
        resamples: Bootstrap resamples of the patients.
        seed: Seed of the resamples.

    Returns:
        One for each hospital; none where no kind of image is in two hospitals.
    """
    scores, rows = _among_their_kind(-errors, images)
    keys, owner = np.unique(np.array(images.patients)[rows], return_inverse=True)
    if not len(keys):
        return ()
    by_patient = np.bincount(owner, scores) / np.bincount(owner)
    first = np.unique(owner, return_index=True)[1]
    sites = np.array(images.sites)[rows][first]
    names = sorted(set(sites.tolist()))
    if len(names) < 2:
        return ()
    weights = patient_weights(keys.tolist(), resamples=resamples, seed=seed)
    return tuple(
        Knowing(
            hospital=name,
            auc=interval(
                weighted_auc(by_patient, sites == name, weights), misses=0.05 / len(names)
            ),
            patients=int(np.sum(sites == name)),
            others=int(np.sum(sites != name)),
        )
        for name in names
    )


def _among_their_kind(
    scores: NDArray[np.float64], images: ImageSet
) -> tuple[NDArray[np.float64], NDArray[np.int64]]:
    """Return scores less the mean of their kind, each hospital counted alike, and of which rows."""
    kinds = [(one.modality, one.body_part, one.plane, one.view) for one in images.descriptions]
    sites = np.array(images.sites)
    result, rows = [], []
    for kind in sorted(set(kinds)):
        own = np.array([place for place, one in enumerate(kinds) if one == kind])
        means = [scores[own][sites[own] == site].mean() for site in sorted(set(sites[own]))]
        if len(means) < 2:
            continue
        result.append(scores[own] - np.mean(means))
        rows.append(own)
    if not rows:
        return np.empty(0), np.empty(0, np.int64)
    return np.concatenate(result), np.concatenate(rows)


def best_known(knowings: Sequence[Knowing]) -> Knowing | None:
    """Return the hospital that is told most surely."""
    return max(knowings, key=lambda one: one.auc.value, default=None)
