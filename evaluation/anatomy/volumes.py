"""Volumes: what all slices of a scan together say of an organ's size, place and sides.

Slices that are spread evenly over a scan estimate a volume by the mean of their areas (Cavalieri's
principle). A slice by itself can be as real as any, and the organ still be half as large in the
next one.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
import torch
from numpy.typing import NDArray

from ...model.generator import Generator
from ...model.volumes.slice_noise import correlated_noise
from ..measures.image_sets import ImageSet
from ..subject import Subject
from .population import FEWEST, kind_of
from .shapes import FEATURES, ORGANS

#: Per organ, in this order.
VOLUME_QUANTITIES = ("volume", "slices", "pieces", "centre", "asymmetry")
#: A scan of fewer slices has no volume.
_FEWEST_SLICES = 3
#: Correlation of the noise along the slices, as ``fedscan volume`` has it.
_CORRELATION = 0.06
_TAIL = 0.025


@dataclass(frozen=True, kw_only=True)
class PatientSlices:
    """The slices of one patient that show the same part of the body in the same way.

    Attributes:
        kind: What they show.
        patient: Whose they are.
        slices: Their indices in an image set, along the body.
    """

    kind: str
    patient: str
    slices: tuple[int, ...]


@dataclass(frozen=True, kw_only=True)
class VolumeRange:
    """What 95 % of a population's scans of one kind lie within.

    Attributes:
        low: Lower ends ``[Q]``.
        high: Upper ends ``[Q]``.
        middle: Medians ``[Q]``.
        scans: Scans it was made from.
    """

    low: NDArray[np.float64]
    high: NDArray[np.float64]
    middle: NDArray[np.float64]
    scans: int


def find_scans(images: ImageSet) -> tuple[PatientSlices, ...]:
    """Find the scans that have enough slices, in the order of their patients."""
    slices_of_scans: dict[tuple[str, str], list[int]] = {}
    for number, (patient, description) in enumerate(
        zip(images.patients, images.descriptions, strict=True)
    ):
        slices_of_scans.setdefault((patient, kind_of(description)), []).append(number)
    return tuple(
        PatientSlices(
            kind=kind,
            patient=patient,
            slices=tuple(sorted(slices, key=lambda index: float(images.positions[index]))),
        )
        for (patient, kind), slices in slices_of_scans.items()
        if len(slices) >= _FEWEST_SLICES
    )


def volume_features(
    features: NDArray[np.float64], positions: NDArray[np.float32], scans: Sequence[PatientSlices]
) -> NDArray[np.float64]:
    """Describe scans by what their slices show.

    Volumes are mean areas, as shares of the picture; slices the share that shows the organ;
    pieces the most that one slice has; the centre is a position along the body, weighted by
    area, and so is the mean asymmetry.

    Args:
        features: Of the slices ``[N, F]``, as ``shape_features`` gives them.
        positions: Of the slices ``[N]``.
        scans: ``S`` scans of these.

    Returns:
        ``[S, Q]``, five numbers per organ; NaN where a scan lacks it or shows one side only.
    """
    numbers = np.full((len(scans), len(ORGANS) * len(VOLUME_QUANTITIES)), np.nan)
    for number, scan in enumerate(scans):
        own, where = features[list(scan.slices)], positions[list(scan.slices)]
        for place, organ in enumerate(ORGANS):
            areas, pieces, sides = (
                own[:, FEATURES.index(f"{organ} {name}")]
                for name in ("area", "pieces", "asymmetry")
            )
            start = place * len(VOLUME_QUANTITIES)
            numbers[number, start : start + 3] = areas.mean(), (pieces > 0).mean(), pieces.max()
            visible_areas = np.where(pieces > 0, areas, 0.0)
            if visible_areas.any():
                numbers[number, start + 3] = visible_areas @ where / visible_areas.sum()
            two_sided = visible_areas * ~np.isnan(sides)
            if two_sided.any():
                numbers[number, start + 4] = two_sided @ np.nan_to_num(sides) / two_sided.sum()
    return numbers


def learn_volumes(
    features: NDArray[np.float64], scans: Sequence[PatientSlices]
) -> dict[str, VolumeRange]:
    """Learn the range of every kind of scan that there are enough of."""
    kinds = np.array([scan.kind for scan in scans])
    ranges = {}
    for kind in np.unique(kinds).tolist():
        own = features[kinds == kind]
        if len(own) < FEWEST:
            continue
        # An organ that most of the population lacks has no range.
        common = (own[:, :: len(VOLUME_QUANTITIES)] > 0).mean(axis=0) > 0.5
        own = np.where(np.repeat(common, len(VOLUME_QUANTITIES)), own, np.nan)
        low, middle, high = (_quantiles(own, share) for share in (_TAIL, 0.5, 1 - _TAIL))
        ranges[str(kind)] = VolumeRange(low=low, middle=middle, high=high, scans=len(own))
    return ranges


def outside(
    ranges: Mapping[str, VolumeRange], features: NDArray[np.float64], scans: Sequence[PatientSlices]
) -> NDArray[np.float64]:
    """Whether each number lies outside the range, ``[S, Q]``; NaN where there is none."""
    beyond = np.full(features.shape, np.nan)
    for number, scan in enumerate(scans):
        if scan.kind in ranges:
            own, row = ranges[scan.kind], features[number]
            # A hair's breadth more, as numbers that never vary lie on the limit.
            present = ~(np.isnan(row) | np.isnan(own.low))
            out = (row < own.low - 1e-6) | (row > own.high + 1e-6)
            beyond[number] = np.where(present, out, np.nan)
    return beyond


def draw_scans(
    subject: Subject,
    generator: Generator,
    images: ImageSet,
    scans: Sequence[PatientSlices],
) -> NDArray[np.float32]:
    """Draw scans with the captions and positions of real ones, each as one volume.

    Args:
        subject: Says how to sample.
        generator: The generator.
        images: The real slices.
        scans: The real scans.

    Returns:
        The slices of the scans, one scan after the other, ``[sum of N, H, W]``.
    """
    slices = [index for scan in scans for index in scan.slices]
    noise = torch.cat(
        [
            correlated_noise(
                images.positions[list(scan.slices)].tolist(),
                generator.latent_shape,
                length=_CORRELATION,
                seed=subject.seed + 1000 + number,
            )
            for number, scan in enumerate(scans)
        ]
    )
    return subject.draw(
        [images.descriptions[index].caption() for index in slices],
        images.positions[slices].tolist(),
        generator=generator,
        noise=noise,
    )


def _quantiles(values: NDArray[np.float64], share: float) -> NDArray[np.float64]:
    """Quantile of each column over its known values; NaN where none is known."""
    columns = [column[~np.isnan(column)] for column in values.T]
    return np.array([np.quantile(one, share) if len(one) else np.nan for one in columns])
