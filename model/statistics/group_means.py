"""Coarse mean images per group: the statistic with which a study's warm-up begins.

A group is what captions of one kind share (modality, body part, plane or view, finding) and a
bin of the slice position. A patient contributes one vector, however many images they have:
for each group in which they have images, the mean of those images, coarsely pooled, weighted
so that the vector's length does not depend on the number of groups. The noised sum of such
vectors over patients is a Gaussian mechanism with the patient as its unit; DP-FETA (Li et
al., 2025) starts DP training from such central images.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from ..description import BODY_PARTS, FINDINGS, MODALITIES, PLANES, VIEWS, Description
from ..example import Example

#: Side of a pooled image in cells.
RESOLUTION = 16
#: Bins of the slice position.
POSITION_BINS = 6
#: What one patient's count weighs against their image, in the units of the vector.
_COUNT_WEIGHT = 2.0
#: Clip of one patient's vector. A clipped vector loses as much of its count as of its image, so
#: clipping hardly bends the means, and a low clip keeps the noise low.
CLIP_NORM = 5.0
#: Grey level that images are compared with: slices lie in black, projections fill the frame.
_GREY = {"X-ray": 0.5}
#: A mean is used if its cells' noise is below this, and its count above so many deviations.
_MOST_NOISE = 0.25
_LEAST_DEVIATIONS = 4.0


@dataclass(frozen=True, order=True)
class Group:
    """What the images of one mean have in common.

    Attributes:
        modality: See :class:`Description`.
        body_part: See :class:`Description`.
        orientation: Plane of a slice or view of a projection; empty if unknown.
        finding: See :class:`Description`.
        position_bin: Bin of the slice position, 0 for projections.
    """

    modality: str
    body_part: str
    orientation: str
    finding: str
    position_bin: int

    def description(self) -> Description:
        """The description that the group stands for."""
        is_slice = self.orientation in PLANES
        return Description(
            modality=self.modality,
            body_part=self.body_part,
            plane=self.orientation if is_slice else "",
            view="" if is_slice else self.orientation,
            finding=self.finding,
        )

    @property
    def position(self) -> float:
        """Centre of the group's position bin."""
        return (self.position_bin + 0.5) / POSITION_BINS if self.orientation in PLANES else 0.5


def vector_size(groups: Sequence[Group]) -> int:
    """Length of one patient's vector."""
    return len(groups) * (RESOLUTION**2 + 1)


def all_groups(body_parts: Sequence[str] = BODY_PARTS) -> tuple[Group, ...]:
    """Every group there can be, in a fixed order; public, since it depends on no data."""
    groups = []
    for modality in MODALITIES:
        for body_part in body_parts:
            orientations = ("", *VIEWS) if modality == "X-ray" else ("", *PLANES)
            for orientation in orientations:
                bins = range(POSITION_BINS) if orientation in PLANES else range(1)
                for finding in ("", *FINDINGS):
                    groups += [
                        Group(modality, body_part, orientation, finding, where) for where in bins
                    ]
    return tuple(groups)


def group_of(example: Example) -> Group:
    """The group that an example belongs to."""
    description = example.description
    # Other views than those of the frame are one group: they are too many to be counted apart.
    orientation = description.plane or (description.view if description.view in VIEWS else "")
    where = (
        min(int(example.position * POSITION_BINS), POSITION_BINS - 1) if description.plane else 0
    )
    return Group(
        description.modality, description.body_part, orientation, description.finding, where
    )


def pool(image: NDArray[np.float32]) -> NDArray[np.float32]:
    """Average an image ``[H, W]`` in [-1, 1] over cells, to ``[RESOLUTION, RESOLUTION]`` in [0, 1].

    Dark background becomes 0 and costs nothing of the clip.
    """
    side = image.shape[0] // RESOLUTION
    cells = image[: side * RESOLUTION, : side * RESOLUTION]
    means = cells.reshape(RESOLUTION, side, RESOLUTION, side).mean((1, 3))
    return ((means + 1.0) / 2.0).astype(np.float32)


def patient_vector(examples: Iterable[Example], groups: Sequence[Group]) -> NDArray[np.float32]:
    """One patient's contribution.

    Args:
        examples: All images of the patient.
        groups: The groups asked for; images of other groups do not count.

    Returns:
        float32 ``[len(groups) * (RESOLUTION**2 + 1)]``: pooled sums, then counts.
    """
    place = {group: index for index, group in enumerate(groups)}
    sums: dict[int, list[NDArray[np.float32]]] = {}
    for example in examples:
        index = place.get(group_of(example))
        if index is not None:
            grey = _GREY.get(example.description.modality, 0.0)
            sums.setdefault(index, []).append(pool(example.image).ravel() - grey)
    images = np.zeros((len(groups), RESOLUTION**2), np.float32)
    counts = np.zeros(len(groups), np.float32)
    for index, coarse in sums.items():
        weight = 1.0 / math.sqrt(len(sums))
        images[index] = weight * np.mean(coarse, axis=0)
        counts[index] = weight * _COUNT_WEIGHT
    return np.concatenate([images.ravel(), counts])


@dataclass(frozen=True)
class GroupMean:
    """A group's mean image as far as the noise lets it be known.

    Attributes:
        group: The group.
        image: ``[RESOLUTION, RESOLUTION]`` in [0, 1].
        noise_deviation: Standard deviation of the noise in each cell of ``image``.
        share: The group's estimated share among all groups.
    """

    group: Group
    image: NDArray[np.float32]
    noise_deviation: float
    share: float


def estimate_means(
    total: NDArray[np.float32], groups: Sequence[Group], noise_deviation: float
) -> list[GroupMean]:
    """Means of the groups that stand clear of the noise.

    Args:
        total: Sum over patients and sites of noised vectors.
        groups: As in :func:`patient_vector`.
        noise_deviation: Standard deviation of the noise in each entry of ``total``.

    Returns:
        One mean for each group that is frequent enough for its mean to be of use.
    """
    sums = total[: len(groups) * RESOLUTION**2].reshape(-1, RESOLUTION, RESOLUTION)
    counts = total[len(groups) * RESOLUTION**2 :] / _COUNT_WEIGHT
    large_groups = [
        index
        for index, count in enumerate(counts)
        if count > _LEAST_DEVIATIONS * noise_deviation / _COUNT_WEIGHT
        and noise_deviation / count < _MOST_NOISE
    ]
    everyone = float(sum(counts[index] for index in large_groups))
    return [
        GroupMean(
            groups[index],
            np.clip(
                sums[index] / counts[index] + _GREY.get(groups[index].modality, 0.0), 0.0, 1.0
            ).astype(np.float32),
            float(noise_deviation / counts[index]),
            float(counts[index] / everyone),
        )
        for index in large_groups
    ]
