"""What is measured of a group: how good its images are, what they teach, and whether they obey.

Each measure takes weights of the held-out and of the synthetic images, one row for each bootstrap
resample, so that the same resamples serve a group, a gap, and a half of the patients.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Protocol

import numpy as np
from numpy.typing import NDArray
from torch import Tensor

from ..measures.bootstrap import balanced_accuracy, macro_auc
from ..measures.tasks import Task

Weights = NDArray[np.int64]
Values = NDArray[np.float64]


@dataclass(frozen=True, kw_only=True)
class Members:
    """Who belongs to a group.

    Attributes:
        real: ``[N]``, of the held-out images.
        synthetic: ``[S]``, of the synthetic images.
    """

    real: NDArray[np.bool_]
    synthetic: NDArray[np.bool_]


class GroupMeasure(Protocol):
    """A number for each group, under any weights of the images."""

    @property
    def key(self) -> str:
        """Short stable name."""

    @property
    def title(self) -> str:
        """Name for people."""

    @property
    def higher_is_better(self) -> bool:
        """Which direction is better."""

    def enough(self, group: Members, patients: NDArray[np.str_], least: int) -> bool:
        """Say whether the group has what the measure needs."""

    def values(self, group: Members, real: Weights, synthetic: Weights) -> Values:
        """Return ``[B]``, from weights ``[B, N]`` and ``[B, S]``; NaN where it is not defined."""


class Quality:
    """Kernel distance of a group's synthetic images to its held-out ones.

    Squared maximum mean discrepancy with the cubic kernel (Bińkowski et al. 2018, arXiv
    1801.01401). Pairs of images of one patient are left out, so it is unbiased over patients: 0
    for a perfect generator, whatever the group, and comparable between groups of any size.

    Args:
        real: Features of the held-out images, ``[N, D]``.
        synthetic: Features of the synthetic images, ``[S, D]``.
        patients: Patient of each held-out image.
    """

    key = "quality"
    title = "kernel distance"
    higher_is_better = False

    def __init__(self, real: Tensor, synthetic: Tensor, patients: NDArray[np.str_]) -> None:
        one, other = real.double().numpy(), synthetic.double().numpy()
        self._real, self._synthetic, self._across = (
            _cubic(one, one),
            _cubic(other, other),
            _cubic(one, other),
        )
        self._others = (patients[:, None] != patients[None]).astype(np.float64)

    def enough(self, group: Members, patients: NDArray[np.str_], least: int) -> bool:
        """See :class:`GroupMeasure`."""
        return len(set(patients[group.real])) >= least and int(group.synthetic.sum()) >= 2

    def values(self, group: Members, real: Weights, synthetic: Weights) -> Values:
        """See :class:`GroupMeasure`."""
        own, drawings = np.flatnonzero(group.real), np.flatnonzero(group.synthetic)
        left, right = real[:, own].astype(float), synthetic[:, drawings].astype(float)
        different = 1.0 - np.eye(len(drawings))
        return (
            _mean(left, self._real[np.ix_(own, own)], self._others[np.ix_(own, own)], left)
            + _mean(right, self._synthetic[np.ix_(drawings, drawings)], different, right)
            - 2
            * _mean(
                left, self._across[np.ix_(own, drawings)], np.ones((len(own), len(drawings))), right
            )
        )


class Utility:
    """AUC on a group's held-out patients of classifiers trained on all synthetic images.

    Args:
        task: The task.
        probabilities: Of the held-out images, by each classifier ``[N, K]``.
        labels: Classes of the held-out images, ``[N]``; -1 where an image takes no part.
        taught_by: "synthetic" or "real": what the classifiers were trained on.
    """

    higher_is_better = True

    def __init__(
        self,
        task: Task,
        probabilities: list[Values],
        labels: NDArray[np.int64],
        *,
        taught_by: str = "synthetic",
    ) -> None:
        self.key = f"utility_{task.key}"
        self.title = f"AUC of {task.title}, trained on {taught_by} images"
        self._probabilities, self._labels = probabilities, labels
        self._classes = len(task.classes)

    def enough(self, group: Members, patients: NDArray[np.str_], least: int) -> bool:
        """See :class:`GroupMeasure`; half of the patients needed must be of each class."""
        return all(
            len(set(patients[group.real & (self._labels == value)])) >= least / 2
            for value in range(self._classes)
        )

    def values(self, group: Members, real: Weights, synthetic: Weights) -> Values:
        """See :class:`GroupMeasure`."""
        part = np.flatnonzero(group.real & (self._labels >= 0))
        aucs = [
            macro_auc(one[part], self._labels[part], real[:, part]) for one in self._probabilities
        ]
        mean: Values = np.mean(aucs, axis=0)
        return mean


class Fidelity:
    """Share of a group's synthetic images that show what was asked, balanced over the classes.

    Judged by classifiers that were trained on real images of patients trained on.

    Args:
        task: The task.
        probabilities: Of the synthetic images, by each classifier ``[S, K]``.
        labels: What was asked, ``[S]``; -1 where an image takes no part.
    """

    higher_is_better = True

    def __init__(self, task: Task, probabilities: list[Values], labels: NDArray[np.int64]) -> None:
        self.key = f"fidelity_{task.key}"
        self.title = f"shows what was asked, {task.title}"
        self._probabilities, self._labels = probabilities, labels
        self._classes = len(task.classes)

    def enough(self, group: Members, patients: NDArray[np.str_], least: int) -> bool:
        """See :class:`GroupMeasure`."""
        return all(
            int((group.synthetic & (self._labels == value)).sum()) >= 4
            for value in range(self._classes)
        )

    def values(self, group: Members, real: Weights, synthetic: Weights) -> Values:
        """See :class:`GroupMeasure`."""
        part = np.flatnonzero(group.synthetic & (self._labels >= 0))
        shares = [
            balanced_accuracy(one[part], self._labels[part], synthetic[:, part])
            for one in self._probabilities
        ]
        mean: Values = np.mean(shares, axis=0)
        return mean


def _cubic(one: NDArray[np.float64], other: NDArray[np.float64]) -> NDArray[np.float64]:
    kernel: NDArray[np.float64] = (one @ other.T / one.shape[1] + 1.0) ** 3
    return kernel


def _mean(
    left: NDArray[np.float64],
    kernel: NDArray[np.float64],
    pairs: NDArray[np.float64],
    right: NDArray[np.float64],
) -> Values:
    """Weighted mean of a kernel over the pairs that count, for each row of weights."""
    total = np.einsum("bi,bi->b", left @ (kernel * pairs), right)
    count = np.einsum("bi,bi->b", left @ pairs, right)
    return np.divide(total, count, out=np.full(len(total), np.nan), where=count > 0)
