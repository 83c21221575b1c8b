"""What an examination of anatomy found, and the section that says it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

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
        judgement: What the plausibility model says of them.
        from_masks: Images ``[M, H, W]`` drawn from masks.
        masks_found: Masks found in those, ``[M, H, W]``.
        own: Agreement with the mask given.
        mismatch: Agreement with the mask of another image of the same kind.
    """

    free: NDArray[np.float32]
    judgement: Judged
    from_masks: NDArray[np.float32]
    masks_found: NDArray[np.uint8]
    own: Following
    mismatch: Following


@dataclass(frozen=True, kw_only=True)
class Findings:
    """Everything found.

    Attributes:
        name: The generator examined.
        evaluation: Bootstrap and seed.
        model: What judged.
        report: Held-out images whose captions were drawn.
        with_masks: Those of them whose masks were drawn too.
        real: What the model says of ``report``.
        own_error: Agreement of the segmenter with the masks on ``with_masks``.
        drawings: By generator.
    """

    name: str
    evaluation: EvaluationSettings
    model: PlausibilityModel
    report: ImageSet
    with_masks: ImageSet
    real: Judged
    own_error: Following
    drawings: Mapping[str, Drawn]

    def section(self, figures: tuple[Figure, ...]) -> Section:
        """Say it."""
        own = self.drawings[self.name]
        implausible = self.mean(own.judgement.implausible, self.report)
        rejected_real = self.mean(self.real.implausible, self.report)
        dice = self.mean(own.own.by_image(), self.with_masks)
        dice_real = self.mean(self.own_error.by_image(), self.with_masks)
        mask_gain = self.mean(own.own.by_image() - own.mismatch.by_image(), self.with_masks)
        distance = self.mean(own.own.distance_by_image(), self.with_masks)
        outside = self.mean(self.outside(own.judgement), self.report)
        summary = (
            f"Of {len(self.report)} images drawn from captions, {implausible.value:.0%} have "
            f"anatomy outside the range of real patients ({implausible.low:.0%} to "
            f"{implausible.high:.0%}); the "
            f"same threshold rejects {rejected_real.value:.0%} of the real images of patients who "
            "took no part in choosing it. "
            f"Of {len(self.with_masks)} images drawn from masks, the anatomy found agrees with the "
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
                Measure.of(
                    "rejected_share", "Images rejected as implausible", implausible, "lower"
                ),
                Measure.of(
                    "rejected_real_share", "Real images rejected, patients unseen", rejected_real
                ),
                Measure.of("outside_share", "Organ measures outside the range", outside, "lower"),
                Measure.of("mask_dice", "Dice with the mask given", dice, "higher"),
                Measure.of("mask_dice_real", "Dice of the segmenter on real images", dice_real),
                Measure.of(
                    "mask_dice_gain",
                    "Dice with its mask less that with another's",
                    mask_gain,
                    "higher",
                ),
                Measure.of(
                    "mask_hausdorff",
                    "Hausdorff distance to the mask, 95th percentile",
                    distance,
                    "lower",
                    unit="pixels",
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
                _number(self.mean(self.own_error.by_image(), self.with_masks)),
                None,
                _number(self.mean(self.own_error.distance_by_image(), self.with_masks)),
            )
        ]
        rows += [
            (
                name,
                _share(self.mean(drawing.judgement.implausible, self.report)),
                _share(self.mean(self.outside(drawing.judgement), self.report)),
                _number(self.mean(drawing.own.by_image(), self.with_masks)),
                _number(self.mean(drawing.mismatch.by_image(), self.with_masks)),
                _number(self.mean(drawing.own.distance_by_image(), self.with_masks)),
            )
            for name, drawing in self.drawings.items()
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
        own = self.drawings[self.name].own
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
        synthetic = self.beyond(self.drawings[self.name].judgement)
        real = self.beyond(self.real)
        rows = []
        for organ in ORGANS:
            places = [FEATURES.index(f"{organ} {quantity}") for quantity in QUANTITIES]
            centres = [FEATURES.index(f"{organ} row")]
            if np.isnan(synthetic[:, centres]).all() and np.isnan(real[:, centres]).all():
                # Neither these patients nor these images have it.
                continue
            cells: list[str | None] = []
            for place in places:
                cells.append(_pair(synthetic[:, place], real[:, place]))
            rows.append((organ, *cells))
        return Grid(
            title=f"{self.name}: images outside the range of 95 % of the population at "
            "their slice position (real images in brackets)",
            columns=("Organ", "Area", "Pieces", "Row", "Column", "Left against right"),
            rows=tuple(rows),
        )

    def beyond(self, judgement: Judged) -> NDArray[np.float64]:
        """Whether each feature lies outside the range, ``[N, F]``; NaN where it is absent."""
        kinds = [kind_of(description) for description in self.report.descriptions]
        limits = np.stack([self.model.population[kind].limits for kind in kinds])
        # A hair's breadth more, as features that never vary lie on their limit.
        outside = np.abs(judgement.deviations) > limits + 1e-6
        return np.where(np.isnan(judgement.deviations), np.nan, outside)

    def outside(self, judgement: Judged) -> NDArray[np.float64]:
        """Share of each image's features outside the range, ``[N]``."""
        beyond = self.beyond(judgement)
        present = ~np.isnan(beyond)
        sums = np.where(present, beyond, 0).sum(axis=1)
        return np.asarray(sums / np.maximum(present.sum(axis=1), 1), np.float64)

    def mean(self, values: NDArray[np.generic], images: ImageSet) -> Interval:
        """Mean over the images, resampled by patient; unknown values count nothing."""
        numbers = np.asarray(values, np.float64)
        present = ~np.isnan(numbers)
        weights = patient_weights(
            images.patients, resamples=self.evaluation.bootstrap, seed=self.evaluation.seed
        )[:, present]
        counts = weights.sum(axis=1)
        sums = weights @ numbers[present]
        return interval(np.divide(sums, counts, out=np.full(len(sums), np.nan), where=counts > 0))


def _share(estimate: Interval) -> str:
    return f"{estimate.value:.0%} ({estimate.low:.0%} to {estimate.high:.0%})"


def _number(estimate: Interval) -> str:
    return f"{estimate.value:.2f} ({estimate.low:.2f} to {estimate.high:.2f})"


def _mean(values: NDArray[np.float64]) -> float | None:
    numbers = values[~np.isnan(values)]
    return float(numbers.mean()) if len(numbers) else None


def _pair(synthetic: NDArray[np.float64], real: NDArray[np.float64]) -> str | None:
    own, other = _mean(synthetic), _mean(real)
    if own is None and other is None:
        return None
    return " ".join(
        (
            "absent" if own is None else f"{own:.0%}",
            "(absent)" if other is None else f"({other:.0%})",
        )
    )
