"""What every measure of every group is taken with, and the gap between two groups."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from ..measures.bootstrap import interval
from ..measures.image_sets import ImageSet
from ..measures.results import Interval
from .groups import PatientGroup
from .measures import GroupMeasure, Members, Values


@dataclass(frozen=True, kw_only=True)
class Bench:
    """Images and weights that every measure of every group is taken with.

    Attributes:
        holdout: Held-out images.
        members: Who belongs to each group.
        real: Bootstrap weights of the held-out images, by patient, ``[1 + B, N]``.
        synthetic: Of the synthetic images, ``[1 + B, S]``.
        choose_real: Held-out images that the groups of a gap are chosen on.
        choose_synthetic: Synthetic images that they are chosen on.
        least: Patients that a group needs.
    """

    holdout: ImageSet
    members: dict[PatientGroup, Members]
    real: NDArray[np.int64]
    synthetic: NDArray[np.int64]
    choose_real: NDArray[np.bool_]
    choose_synthetic: NDArray[np.bool_]
    least: int

    def enough(self, measure: GroupMeasure, group: PatientGroup) -> bool:
        """Say whether a group has what a measure needs."""
        patients = np.array(self.holdout.patients)
        return measure.enough(self.members[group], patients, self.least)

    def value(self, measure: GroupMeasure, group: PatientGroup) -> Interval | None:
        """Measure a group on all held-out patients."""
        if not self.enough(measure, group):
            return None
        values = measure.values(self.members[group], self.real, self.synthetic)
        return interval(values) if np.isfinite(values[0]) else None

    def gap(self, measure: GroupMeasure, groups: Sequence[PatientGroup]) -> Gap | None:
        """Choose the best and the worst group on one half, and compare them on the other.

        To report the largest of many differences on the data that chose it would find a gap
        wherever there is noise.
        """
        fit = [group for group in groups if self.enough(measure, group)]
        if len(fit) < 2:
            return None
        first = [self._half(measure, group, choosing=True)[0] for group in fit]
        if not np.isfinite(first).all():
            return None
        order = np.argsort(first if measure.higher_is_better else np.negative(first))
        worst, best = fit[order[0]], fit[order[-1]]
        sign = 1.0 if measure.higher_is_better else -1.0
        differences = sign * (
            self._half(measure, best, choosing=False) - self._half(measure, worst, choosing=False)
        )
        if not np.isfinite(differences[0]):
            return None
        return Gap(best=best.name, worst=worst.name, difference=interval(differences))

    def _half(self, measure: GroupMeasure, group: PatientGroup, *, choosing: bool) -> Values:
        rows = slice(0, 1) if choosing else slice(None)
        return measure.values(
            self.members[group],
            self.real[rows] * (self.choose_real == choosing),
            self.synthetic[rows] * (self.choose_synthetic == choosing),
        )


@dataclass(frozen=True, kw_only=True)
class Gap:
    """The difference between two groups that were chosen on other patients.

    Attributes:
        best: The group that was better on the choosing half.
        worst: The one that was worse.
        difference: By how much, on the other half; below 0 if it is the other way round there.
    """

    best: str
    worst: str
    difference: Interval
