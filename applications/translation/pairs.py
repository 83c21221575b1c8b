"""Pairs: the same slice of the same patient in two contrasts."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from ...errors import DataError
from ...model.description import Description
from ...model.example import Example

#: What a user may ask for, and the modality that it is.
TARGETS = {"CT": "CT", "T1": "T1-weighted MR", "T2": "T2-weighted MR"}
#: What each may be made from: MR in any contrast, or one contrast from the other.
_SOURCES = {
    "CT": ("T1-weighted MR", "T2-weighted MR", "MR"),
    "T1": ("T2-weighted MR",),
    "T2": ("T1-weighted MR",),
}
#: Slices of one patient whose positions differ by less are the same.
_SAME_POSITION = 2e-3


@dataclass(frozen=True, eq=False, kw_only=True)
class Pairs:
    """``N`` pairs.

    Attributes:
        sources: Images ``[N, H, W]`` in [-1, 1].
        targets: The same slices in the other contrast, likewise.
        descriptions: What the targets show.
        positions: Slice positions in [0, 1].
        patients: Number of the patient of each pair.
    """

    sources: NDArray[np.float32]
    targets: NDArray[np.float32]
    descriptions: Sequence[Description]
    positions: Sequence[float]
    patients: Sequence[int]

    def part(self, rows: Sequence[int]) -> Pairs:
        """Some of the pairs, by their numbers."""
        return Pairs(
            sources=self.sources[list(rows)],
            targets=self.targets[list(rows)],
            descriptions=[self.descriptions[row] for row in rows],
            positions=[self.positions[row] for row in rows],
            patients=[self.patients[row] for row in rows],
        )


def find_pairs(patients: Iterable[Sequence[Example]], target: str) -> Pairs:
    """Pair the examples of each patient.

    Args:
        patients: The examples of one patient each.
        target: One of :data:`TARGETS`.

    Raises:
        DataError: If no patient has the same slice in two contrasts.
    """
    pairs: list[tuple[Example, Example]] = []
    owners: list[int] = []
    for number, examples in enumerate(patients):
        candidates = [one for one in examples if one.description.modality == TARGETS[target]]
        for source in examples:
            if source.description.modality in _SOURCES[target]:
                same = [other for other in candidates if _same_slice(source, other)]
                pairs += [(source, other) for other in same]
                owners += [number] * len(same)
    if not pairs:
        raise DataError(
            f"No patient has the same slice in {target} and in what it is made from.",
            hint="Give scans of patients with both, such as `fedscan phantoms --paired-share 1`.",
        )
    return Pairs(
        sources=np.stack([source.image for source, _ in pairs]).astype(np.float32),
        targets=np.stack([other.image for _, other in pairs]).astype(np.float32),
        descriptions=[other.description for _, other in pairs],
        positions=[other.position for _, other in pairs],
        patients=owners,
    )


def _same_slice(one: Example, other: Example) -> bool:
    return (
        one.description.plane == other.description.plane
        and abs(one.position - other.position) < _SAME_POSITION
    )
