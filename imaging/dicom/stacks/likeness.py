"""Which frames of a series lie alike: direction, pixel size and place in the plane.

Headers are compared with a tolerance and never as text or rounded: the last digit of a number
depends on who wrote it.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterator, Sequence

import numpy as np
from numpy.typing import NDArray

from ..geometry import Plane, Vector
from .stack import LooseFrame

Floats = NDArray[np.float64]

#: Two directions are one if no component differs by more; over a head that is a millimetre.
_DIRECTION_TOLERANCE = 0.01
#: Two pixel sizes are one if they differ by less than this share.
_SPACING_TOLERANCE = 0.005
#: Slices of one stack follow each other within this distance in their plane, mm.
_PLACE_TOLERANCE_MM = 1.0
#: A drift in the plane that counts as much as one place more, mm.
_DRIFT_MM = 10.0


def alike(members: Sequence[LooseFrame]) -> Iterator[list[LooseFrame]]:
    """Part frames with a plane by its directions and by the size of their pixels."""
    planes = [_plane(member) for member in members]
    features = np.array([(*p.along_row, *p.along_column, *np.log(p.spacing)) for p in planes])
    tolerance = np.array([_DIRECTION_TOLERANCE] * 6 + [_SPACING_TOLERANCE] * 2)
    distinct, which, counts = np.unique(features, axis=0, return_inverse=True, return_counts=True)
    group_of = np.full(len(distinct), -1)
    # The most frequent first: what differs from it by a digit joins it, and no chain is formed.
    for index in np.argsort(-counts, kind="stable"):
        if group_of[index] < 0:
            near = (np.abs(distinct - distinct[index]) <= tolerance).all(1) & (group_of < 0)
            group_of[near] = index
    groups: dict[int, list[LooseFrame]] = defaultdict(list)
    for member, group in zip(members, group_of[which.ravel()], strict=True):
        groups[int(group)].append(member)
    for group in sorted(groups):
        yield groups[group]


def common_plane(members: Sequence[LooseFrame]) -> Plane:
    """Return the plane whose directions and pixel size most of some like frames have."""
    counts: dict[tuple[Vector, Vector, tuple[float, float]], int] = defaultdict(int)
    planes: dict[tuple[Vector, Vector, tuple[float, float]], Plane] = {}
    for plane in map(_plane, members):
        key = (plane.along_row, plane.along_column, plane.spacing)
        counts[key] += 1
        planes[key] = plane
    return planes[max(counts, key=lambda key: (counts[key], key))]


def depths_of(members: Sequence[LooseFrame], common: Plane) -> Floats:
    """Distances along the common normal, mm, ``[N]``."""
    return np.asarray(_positions(members) @ common.normal)


def places(members: Sequence[LooseFrame], common: Plane) -> Iterator[list[LooseFrame]]:
    """Part like frames by their place in the plane: parallel stations, side by side.

    Slices of a tilted gantry are shifted in their plane the further the deeper they lie. So
    places are looked for along straight lines: at right angles to the slices, along the
    patient's axis that is nearest to that, and as most neighbours in time lie; the direction
    that explains the slices by the fewest places is theirs.
    """
    positions = _positions(members)
    depths = positions @ common.normal
    inside = positions @ np.array([common.along_row, common.along_column]).T
    best, fewest = np.zeros(len(members), np.int64), np.inf
    for slope in _slopes(common, depths, inside):
        across = inside - depths[:, None] * slope
        labels = _linked(across)
        drift = sum(float(np.ptp(across[labels == one], axis=0).max()) for one in set(labels))
        if (cost := len(set(labels)) + drift / _DRIFT_MM) < fewest - 1e-6:
            best, fewest = labels, cost
    for label in range(int(best.max()) + 1):
        yield [member for member, own in zip(members, best, strict=True) if own == label]


def _slopes(common: Plane, depths: Floats, inside: Floats) -> Iterator[Floats]:
    """Directions in which slices may follow each other: shift in the plane by depth, ``[2]``."""
    yield np.zeros(2)
    normal = common.normal
    axis = np.eye(3)[common.across]
    shift = axis / normal[common.across] - normal
    yield np.array([shift @ common.along_row, shift @ common.along_column])
    steps = np.diff(depths)
    has_moved = np.abs(steps) > 0.05
    if has_moved.any():
        slope = np.median(np.diff(inside, axis=0)[has_moved] / steps[has_moved, None], axis=0)
        if np.abs(slope).max() < 2:
            yield slope


def _linked(points: Floats) -> NDArray[np.int64]:
    """Label points ``[N, 2]``: those of one label are linked by steps within the tolerance."""
    labels = np.zeros(len(points), np.int64)
    for _ in range(2):  # a second look parts what the other coordinate has parted meanwhile
        for axis in (0, 1):
            order = np.lexsort((points[:, axis], labels))
            gaps = np.diff(points[order, axis]) > _PLACE_TOLERANCE_MM
            starts = gaps | (np.diff(labels[order]) != 0)
            labels[order] = np.concatenate([[0], np.cumsum(starts)])
    return labels


def _positions(members: Sequence[LooseFrame]) -> Floats:
    return np.array([_plane(member).position for member in members])


def _plane(member: LooseFrame) -> Plane:
    plane = member.frame.plane
    assert plane is not None
    return plane
