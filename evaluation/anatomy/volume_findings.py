"""What an examination of volumes adds to the section on anatomy."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from ..measures.bootstrap import interval, patient_weights
from ..measures.results import Interval
from ..measures.settings import EvaluationSettings
from ..section import Cell, Grid, Measure
from .shapes import ORGANS
from .volumes import VOLUME_QUANTITIES, PatientSlices, VolumeRange, outside


@dataclass(frozen=True, kw_only=True)
class VolumeFindings:
    """Volumes of real and of generated scans.

    Attributes:
        name: The generator examined.
        evaluation: Bootstrap and seed.
        ranges: Of the population, by kind of scan.
        scans: Real scans of held-out patients, whose captions and positions were drawn.
        real: Their numbers ``[S, Q]``.
        drawings: Numbers of the scans drawn, by generator.
    """

    name: str
    evaluation: EvaluationSettings
    ranges: Mapping[str, VolumeRange]
    scans: Sequence[PatientSlices]
    real: NDArray[np.float64]
    drawings: Mapping[str, NDArray[np.float64]]

    def summary(self) -> str:
        """The answer in a sentence or two."""
        own, real = self._share(self.drawings[self.name]), self._share(self.real)
        return (
            f" Of {len(self.scans)} scans drawn slice by slice as volumes, {own.value:.0%} of the "
            "organs' volumes, counts, places along the body and differences between the sides "
            f"lie outside what 95 % of the population's scans have ({own.low:.0%} to "
            f"{own.high:.0%}); of the real scans of unseen patients, {real.value:.0%}."
        )

    def measures(self) -> tuple[Measure, ...]:
        """Shares outside the population's range."""
        titles = {
            "volume_outside_share": "Volume measures outside the range",
            "volume_outside_real_share": "Volume measures of real scans outside it",
        }
        entries = zip(titles.items(), (self.drawings[self.name], self.real), strict=True)
        return tuple(
            Measure.of(name, title, share, "lower" if name == "volume_outside_share" else "")
            for (name, title), share in (
                (entry, self._share(features)) for entry, features in entries
            )
        )

    def tables(self) -> tuple[Grid, ...]:
        """Every generator, and organ by organ."""
        sources = {"real, held-out patients": self.real, **self.drawings}
        return (
            Grid(
                title="Scans outside the range of 95 % of the population",
                columns=(
                    "Scans",
                    "Outside the range",
                    *(name.capitalize() for name in VOLUME_QUANTITIES),
                ),
                rows=tuple(self._row(name, features) for name, features in sources.items()),
            ),
            Grid(
                title=f"{self.name}: median volume of each organ, in thousandths of the scan",
                columns=("Scan", "Organ", "95 % of the population", "Real", "Generated"),
                rows=tuple(self._organs()),
            ),
        )

    def _row(self, name: str, features: NDArray[np.float64]) -> tuple[Cell, ...]:
        beyond = outside(self.ranges, features, self.scans)
        share = self._share(features)
        cells: list[Cell] = [name, f"{share.value:.0%} ({share.low:.0%} to {share.high:.0%})"]
        for place in range(len(VOLUME_QUANTITIES)):
            column = beyond[:, place :: len(VOLUME_QUANTITIES)]
            values = column[~np.isnan(column)]
            cells.append(f"{values.mean():.0%}" if len(values) else None)
        return tuple(cells)

    def _organs(self) -> list[tuple[Cell, ...]]:
        rows: list[tuple[Cell, ...]] = []
        kinds = np.array([scan.kind for scan in self.scans])
        for kind, range_ in self.ranges.items():
            own = kinds == kind
            for place, organ in enumerate(ORGANS):
                column = place * len(VOLUME_QUANTITIES)
                if np.isnan(range_.middle[column]) or not own.any():
                    continue
                real, synthetic = (
                    float(np.median(features[own, column]))
                    for features in (self.real, self.drawings[self.name])
                )
                low, high = range_.low[column], range_.high[column]
                rows.append(
                    (
                        kind,
                        organ,
                        f"{1000 * low:.0f} to {1000 * high:.0f}",
                        round(1000 * real),
                        round(1000 * synthetic),
                    )
                )
        return rows

    def _share(self, features: NDArray[np.float64]) -> Interval:
        """Mean share outside the range, by scan, resampled by patient."""
        beyond = outside(self.ranges, features, self.scans)
        present = ~np.isnan(beyond)
        shares = np.where(present, beyond, 0).sum(axis=1) / np.maximum(present.sum(axis=1), 1)
        weights = patient_weights(
            [scan.patient for scan in self.scans],
            resamples=self.evaluation.bootstrap,
            seed=self.evaluation.seed,
        )
        return interval(weights @ shares / weights.sum(axis=1))
