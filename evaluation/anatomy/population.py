"""The range of a population's anatomy, and how far an image lies from it."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from sklearn.covariance import ledoit_wolf

from ...model.description import Description
from .shapes import FEATURES

#: Parts of the body along the slice direction that have a mean of their own.
_PARTS = 8
_FEWEST_IN_PART = 6
#: Fewer real images than this of one kind say nothing about the range of that kind.
FEWEST = 40
#: A deviation counts at most this much: one mismeasured piece must not decide alone.
_LIMIT = 8.0


@dataclass(frozen=True, kw_only=True)
class Kind:
    """Images that show the same part of the body in the same way.

    Attributes:
        means: Mean features along the body ``[P, F]``.
        scale: Standard deviation around them ``[F]``.
        precision: Inverse covariance of the standardised deviations ``[F, F]``.
        limits: The deviation ``[F]`` that 95 % of the population stay within.
        images: Images it was made from.
    """

    means: NDArray[np.float64]
    scale: NDArray[np.float64]
    precision: NDArray[np.float64]
    limits: NDArray[np.float64]
    images: int

    def deviations(
        self, features: NDArray[np.float64], positions: NDArray[np.float32]
    ) -> NDArray[np.float64]:
        """Standardised deviations from the mean at each position, ``[N, F]``; NaN as given."""
        means = _along(self.means, positions)
        deviations: NDArray[np.float64] = np.clip((features - means) / self.scale, -_LIMIT, _LIMIT)
        return deviations

    def distances(self, deviations: NDArray[np.float64]) -> NDArray[np.float64]:
        """Mahalanobis distances ``[N]``, per root of the number of features."""
        values = np.nan_to_num(deviations)
        squares = np.einsum("nf,fg,ng->n", values, self.precision, values)
        return np.sqrt(np.maximum(squares, 0.0) / values.shape[1])


def kind_of(description: Description) -> str:
    """Name what an image shows, without finding and person."""
    words = (description.modality, description.body_part, description.plane, description.view)
    return ", ".join(word for word in words if word)


def learn_population(
    features: NDArray[np.float64],
    descriptions: Sequence[Description],
    positions: NDArray[np.float32],
) -> dict[str, Kind]:
    """Learn the range of every kind of image that there are enough of.

    Args:
        features: ``[N, F]``, NaN where something is absent.
        descriptions: What each image shows.
        positions: Slice positions ``[N]``.
    """
    kinds = np.array([kind_of(description) for description in descriptions])
    return {
        str(name): _learn(features[kinds == name], positions[kinds == name])
        for name in np.unique(kinds)
        if np.sum(kinds == name) >= FEWEST
    }


def score(
    population: Mapping[str, Kind],
    features: NDArray[np.float64],
    descriptions: Sequence[Description],
    positions: NDArray[np.float32],
) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Say how unlike the population images are.

    Returns:
        Distances ``[N]``, larger is less plausible, and deviations ``[N, F]``; NaN for images of
        a kind that the population does not hold.
    """
    distances = np.full(len(features), np.nan)
    deviations = np.full(features.shape, np.nan)
    kinds = np.array([kind_of(description) for description in descriptions])
    for name, kind in population.items():
        own = kinds == name
        if own.any():
            deviations[own] = kind.deviations(features[own], positions[own])
            distances[own] = kind.distances(deviations[own])
    return distances, deviations


def _learn(features: NDArray[np.float64], positions: NDArray[np.float32]) -> Kind:
    overall = _mean(features)
    part = np.clip((positions * _PARTS).astype(np.int64), 0, _PARTS - 1)
    means = np.stack(
        [
            _mean(features[part == number], overall)
            if np.sum(part == number) >= _FEWEST_IN_PART
            else overall
            for number in range(_PARTS)
        ]
    )
    residuals = features - _along(means, positions)
    scale = np.sqrt(_mean(residuals**2, np.zeros(len(FEATURES)))) + _floors()
    deviations = np.clip(residuals / scale, -_LIMIT, _LIMIT)
    covariance, _ = ledoit_wolf(np.nan_to_num(deviations), assume_centered=True)
    # A feature that never varies in the population has the floor as its scale.
    covariance += 0.05 * np.eye(len(covariance))
    absolute = np.where(np.isnan(deviations), 0.0, np.abs(deviations))
    return Kind(
        means=means,
        scale=scale,
        precision=np.linalg.inv(covariance),
        limits=np.quantile(absolute, 0.95, axis=0),
        images=len(features),
    )


def _mean(
    values: NDArray[np.float64], otherwise: NDArray[np.float64] | None = None
) -> NDArray[np.float64]:
    """Mean of each column over its known values; ``otherwise`` or 0 where none is known."""
    present = ~np.isnan(values)
    counts = present.sum(axis=0)
    sums = np.where(present, values, 0.0).sum(axis=0)
    rest = np.zeros(values.shape[1]) if otherwise is None else otherwise
    return np.where(counts > 0, sums / np.maximum(counts, 1), rest)


def _along(means: NDArray[np.float64], positions: NDArray[np.float32]) -> NDArray[np.float64]:
    """Interpolate the parts' means, which hold at the parts' middles."""
    middles = (np.arange(_PARTS) + 0.5) / _PARTS
    return np.stack(
        [np.interp(positions, middles, means[:, column]) for column in range(means.shape[1])],
        axis=1,
    )


def _floors() -> NDArray[np.float64]:
    """The least scale of each feature: below it, differences mean nothing."""
    by_name = {"area": 0.003, "pieces": 0.25, "row": 0.02, "column": 0.02, "asymmetry": 0.05}
    return np.array([by_name.get(name.split()[-1], 0.003) for name in FEATURES])
