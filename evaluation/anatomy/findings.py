"""What an examination of anatomy found, and the section that says it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Literal

import numpy as np
from numpy.typing import NDArray

from ...model.conditions import MASK_CLASSES
from ..measures.bootstrap import interval, patient_weights
from ..measures.image_sets import ImageSet
from ..measures.results import Interval
from ..measures.settings import EvaluationSettings
from ..section import Figure, Grid, Measure, Section
from .following import Following
from .plausibility import Judged, PlausibilityModel
from .population import kind_of
from .shapes import FEATURES, ORGANS, QUANTITIES

KEY = "anatomy"
TITLE = "Does it invent anatomy?"


@dataclass(frozen=True, kw_only=True)
class Drawn:
    """One generator's images and what was found in them.

    Attributes:
        free: Images ``[N, H, W]`` drawn from captions and positions alone.
        judged: What the plausibility model says of them.
        masked: Images ``[M, H, W]`` drawn from masks.
        found: Masks found in those, ``[M, H, W]``.
        own: Agreement with the mask given.
        swapped: Agreement with the mask of another image of the same kind.
    """

    free: NDArray[np.float32]
    judged: Judged
    masked: NDArray[np.float32]
    found: NDArray[np.uint8]
    own: Following
    swapped: Following


@dataclass(frozen=True, kw_only=True)
class Findings:
    """Everything found.

    Attributes:
        name: The generator examined.
        evaluation: Bootstrap and seed.
        model: What judged.
        report: Held-out images whose captions were drawn.
        masked: Those of them whose masks were drawn too.
        real: What the model says of ``report``.
        own_error: Agreement of the segmenter with the masks on ``masked``.
        drawn: By generator.
    """

    name: str
    evaluation: EvaluationSettings
    model: PlausibilityModel
    report: ImageSet
    masked: ImageSet
    real: Judged
    own_error: Following
    drawn: Mapping[str, Drawn]

    def section(self, figures: tuple[Figure, ...]) -> Section:
        """Say it."""
        own = self.drawn[self.name]
        rejected = self.mean(own.judged.implausible, self.report)
        rejected_real = self.mean(self.real.implausible, self.report)
        dice = self.mean(own.own.by_image(), self.masked)
        dice_real = self.mean(self.own_error.by_image(), self.masked)
        swapped = self.mean(own.own.by_image() - own.swapped.by_image(), self.masked)
        distance = self.mean(own.own.distance_by_image(), self.masked)
        outside = self.mean(self.outside(own.judged), self.report)
        summary = (
            f"Of {len(self.report)} images drawn from captions, {rejected.value:.0%} have anatomy "
            f"outside the range of real patients ({rejected.low:.0%} to {rejected.high:.0%}); the "
            f"same threshold rejects {rejected_real.value:.0%} of the real images of patients who "
            "took no part in choosing it. "
            f"Of {len(self.masked)} images drawn from masks, the anatomy found agrees with the "
            f"mask to a Dice of {dice.value:.2f}, against {dice_real.value:.2f} on the real images "
            "of the same masks, which is the segmenter's own error. "
            "What no mask marks, a small network cannot judge: a plausible image can still be "
            "wrong in texture, in detail and in its finding."
        )
        return Section(
            key=KEY,
            title=TITLE,
            summary=summary,
            measures=(
                _measure("rejected_share", "Images rejected as implausible", rejected, "lower"),
                _measure(
                    "rejected_real_share", "Real images rejected, patients unseen", rejected_real
                ),
                _measure("outside_share", "Organ measures outside the range", outside, "lower"),
                _measure("mask_dice", "Dice with the mask given", dice, "higher"),
                _measure("mask_dice_real", "Dice of the segmenter on real images", dice_real),
                _measure(
                    "mask_dice_gain",
                    "Dice with its mask less that with another's",
                    swapped,
                    "higher",
                ),
                _measure(
                    "mask_hausdorff",
                    "Hausdorff distance to the mask, 95th percentile",
                    distance,
                    "lower",
                    "pixels",
                ),
            ),
            tables=(self.by_generator(), self.by_organ(), self.by_quantity()),
            figures=figures,
        )

    def by_generator(self) -> Grid:
        """The main numbers of every generator, below those of real images."""
        rows: list[tuple[str | None, ...]] = [
            (
                "real, held-out patients",
                _share(self.mean(self.real.implausible, self.report)),
                _share(self.mean(self.outside(self.real), self.report)),
                _number(self.mean(self.own_error.by_image(), self.masked)),
                None,
                _number(self.mean(self.own_error.distance_by_image(), self.masked)),
            )
        ]
        rows += [
            (
                name,
                _share(self.mean(drawn.judged.implausible, self.report)),
                _share(self.mean(self.outside(drawn.judged), self.report)),
                _number(self.mean(drawn.own.by_image(), self.masked)),
                _number(self.mean(drawn.swapped.by_image(), self.masked)),
                _number(self.mean(drawn.own.distance_by_image(), self.masked)),
            )
            for name, drawn in self.drawn.items()
        ]
        return Grid(
            title="Every generator, and real images",
            columns=(
                "Images",
                "Rejected",
                "Outside the range",
                "Dice, own mask",
                "Dice, another's mask",
                "Hausdorff 95, pixels",
            ),
            rows=tuple(rows),
        )

    def by_organ(self) -> Grid:
        """How well each organ follows the mask."""
        own = self.drawn[self.name].own
        rows = []
        for column, organ in enumerate(MASK_CLASSES):
            count = int(np.sum(~np.isnan(own.dice[:, column])))
            if count:
                rows.append(
                    (
                        organ,
                        count,
                        _mean(own.dice[:, column]),
                        _mean(self.own_error.dice[:, column]),
                        _mean(own.hausdorff[:, column]),
                        _mean(self.own_error.hausdorff[:, column]),
                    )
                )
        return Grid(
            title=f"{self.name}, drawn from masks: agreement by organ",
            columns=("Organ", "Images", "Dice", "on real", "Hausdorff 95, pixels", "on real "),
            rows=tuple(rows),
        )

    def by_quantity(self) -> Grid:
        """Shares of images outside the population's range, for every organ and quantity."""
        made = self.beyond(self.drawn[self.name].judged)
        real = self.beyond(self.real)
        rows = []
        for organ in ORGANS:
            places = [FEATURES.index(f"{organ} {quantity}") for quantity in QUANTITIES]
            centres = [FEATURES.index(f"{organ} row")]
            if np.isnan(made[:, centres]).all() and np.isnan(real[:, centres]).all():
                # Neither these patients nor these images have it.
                continue
            cells: list[str | None] = []
            for place in places:
                cells.append(_pair(made[:, place], real[:, place]))
            rows.append((organ, *cells))
        return Grid(
            title=f"{self.name}: images outside the range of 95 % of the population at "
            "their slice position (real images in brackets)",
            columns=("Organ", "Area", "Pieces", "Row", "Column", "Left against right"),
            rows=tuple(rows),
        )

    def beyond(self, judged: Judged) -> NDArray[np.float64]:
        """Whether each feature lies outside the range, ``[N, F]``; NaN where it is absent."""
        kinds = [kind_of(description) for description in self.report.descriptions]
        limits = np.stack([self.model.population[kind].limits for kind in kinds])
        # A hair's breadth more, as features that never vary lie on their limit.
        outside = np.abs(judged.deviations) > limits + 1e-6
        return np.where(np.isnan(judged.deviations), np.nan, outside)

    def outside(self, judged: Judged) -> NDArray[np.float64]:
        """Share of each image's features outside the range, ``[N]``."""
        beyond = self.beyond(judged)
        known = ~np.isnan(beyond)
        sums = np.where(known, beyond, 0).sum(axis=1)
        return np.asarray(sums / np.maximum(known.sum(axis=1), 1), np.float64)

    def mean(self, values: NDArray[np.generic], images: ImageSet) -> Interval:
        """Mean over the images, resampled by patient; unknown values count nothing."""
        numbers = np.asarray(values, np.float64)
        known = ~np.isnan(numbers)
        weights = patient_weights(
            images.patients, resamples=self.evaluation.bootstrap, seed=self.evaluation.seed
        )[:, known]
        counts = weights.sum(axis=1)
        sums = weights @ numbers[known]
        return interval(np.divide(sums, counts, out=np.full(len(sums), np.nan), where=counts > 0))


def _measure(
    name: str,
    title: str,
    found: Interval,
    better: Literal["higher", "lower", ""] = "",
    unit: str = "",
) -> Measure:
    return Measure(
        name=name,
        title=title,
        value=found.value,
        low=found.low,
        high=found.high,
        unit=unit,
        better=better,
    )


def _share(found: Interval) -> str:
    return f"{found.value:.0%} ({found.low:.0%} to {found.high:.0%})"


def _number(found: Interval) -> str:
    return f"{found.value:.2f} ({found.low:.2f} to {found.high:.2f})"


def _mean(values: NDArray[np.float64]) -> float | None:
    known = values[~np.isnan(values)]
    return float(known.mean()) if len(known) else None


def _pair(made: NDArray[np.float64], real: NDArray[np.float64]) -> str | None:
    own, other = _mean(made), _mean(real)
    if own is None and other is None:
        return None
    return " ".join(
        (
            "absent" if own is None else f"{own:.0%}",
            "(absent)" if other is None else f"({other:.0%})",
        )
    )
