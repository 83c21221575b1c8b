"""Phases, echoes and passes: frames that repeat a place become volumes of their own.

Where several frames lie at one depth, something tells them apart: the number of the phase or of
the acquisition, the trigger time, the echo, the time. Each is tried, and the one that leaves no
two frames of a volume at one depth, with the fewest volumes, is taken at its word.
"""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Iterator, Sequence
from itertools import pairwise
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ..frames.moment import Moment
from .stack import LooseFrame

Floats = NDArray[np.float64]
#: A frame with the depth and the number of the depth that it has in common with others.
Placed = tuple[LooseFrame, float, int]

#: What tells repeated frames apart, in the order in which it is believed.
_MARKS: tuple[tuple[str, float], ...] = (
    ("temporal", 0.0), ("acquisition", 0.0), ("cycle", 0.5), ("trigger_ms", 2.0),
    ("image_type", 0.0), ("echo_ms", 0.02), ("b_value", 1.0), ("direction", 0.0),
    ("settings", 0.0), ("pile", 0.0), ("taken_s", 0.0), ("stored_s", 0.0),
)  # fmt: skip
#: Two echoes, or two diffusion weights, that differ by more never belong to one volume.
_APART = {"echo_ms": (0.5, 0.05), "b_value": (5.0, 0.05)}
#: Slices nearer than this share of the usual step repeat a depth.
_SAME_DEPTH = 0.1
_LARGEST_JITTER_MM = 0.5
#: Slices of one volume are at least this share of their thickness apart.
_NO_ROOM = 0.75
#: So many volumes are tried when a part is joined: parts of one scan follow each other.
_LOOK_BACK = 8


def kinds(members: Sequence[LooseFrame]) -> Iterator[list[LooseFrame]]:
    """Part frames by what never belongs to one volume: far echoes and diffusion weights."""
    parts = [list(members)]
    for mark, (least, share) in _APART.items():
        parts = [inner for part in parts for inner in _by_value(part, mark, least, share)]
    yield from parts


def common_depths(members: Sequence[LooseFrame], depths: Floats) -> NDArray[np.int64]:
    """Number the depths of frames ``[N]``; those that differ by last digits share a number."""
    order = np.argsort(depths, kind="stable")
    gaps = np.diff(depths[order])
    thickness = min((t for t in map(_thickness_of, members) if t > 0), default=0.0)
    tolerance = 0.02
    for _ in range(4):  # a wider tolerance shows the steps better, and these the tolerance
        steps = gaps[gaps > tolerance]
        if not len(steps):
            break
        middle, wide = np.quantile(steps, [0.5, 0.8])
        wider = max(_SAME_DEPTH * middle, min(_SAME_DEPTH * wide, 0.25 * thickness))
        tolerance = max(tolerance, min(wider, _LARGEST_JITTER_MM))
    numbers = np.empty(len(depths), np.int64)
    numbers[order] = np.concatenate([[0], np.cumsum(gaps > tolerance)])
    return numbers


def volumes(members: Sequence[LooseFrame], depths: Floats) -> list[list[int]]:
    """Part like frames at one place into volumes without repeated depths.

    Args:
        members: The frames, in the order of their numbers.
        depths: Where they lie along their normal, mm, ``[N]``.

    Returns:
        Indices of the frames of each volume. Parts of one scan (two image types, two passes
        that overlap by a few slices) are one volume, and may then share depths.
    """
    numbers = common_depths(members, depths)
    slices = [
        (member, float(depth), int(number))
        for member, depth, number in zip(members, depths, numbers, strict=True)
    ]
    index = {id(member): position for position, member in enumerate(members)}
    parts: list[list[Placed]] = []
    for part in _joined(_by_text(slices, "image_type")):
        parts += _joined(_apart(part))
    return [sorted(index[id(member)] for member, _, _ in volume) for volume in parts]


def _apart(members: list[Placed]) -> list[list[Placed]]:
    """Part frames until none repeats a depth."""
    if _most(members) == 1:
        return _offset_phases(members)
    whole: list[list[list[Placed]]] = []
    partial: list[tuple[int, int, list[list[Placed]]]] = []
    for mark, tolerance in _MARKS:
        parts = _by_mark(members, mark, tolerance)
        if len(parts) < 2:
            continue
        rest = max(map(_most, parts))
        if rest == 1:
            whole += [_runs(parts), _first_fit(parts)]
        elif rest < _most(members) and len(parts) < len(members) / 2:
            partial.append((rest, len(parts), parts))
    singles = [[one] for one in members]  # in the order of their numbers
    whole += [_runs(singles)]
    fewest = min(whole, key=len)
    if len(fewest) > _most(members) and partial:
        parts = min(partial, key=lambda one: one[:2])[2]
        volumes_of_parts = [volume for part in parts for volume in _apart(part)]
        fewest = min(volumes_of_parts, fewest, key=len)
    return min(fewest, _first_fit(singles), key=len)


def _offset_phases(members: list[Placed]) -> list[list[Placed]]:
    """Part phases whose slices lie between those of the others, and so repeat no depth."""
    for mark, tolerance in _MARKS[:4]:
        parts = _by_mark(members, mark, tolerance)
        if not 2 <= len(parts) <= len(members) / 3 or min(map(len, parts)) < 3:
            continue
        if all(_is_full(part) for part in parts) and all(
            _clash(one, other) > 0.5 for one, other in pairwise(parts)
        ):
            return parts
    return [members]


def _is_full(part: list[Placed]) -> bool:
    """Whether slices are as close as they are thick: there is no room for more between them."""
    return 0 < _step(part) <= _thickness(part) / _NO_ROOM


def _joined(parts: list[list[Placed]]) -> list[list[Placed]]:
    """Join parts of one scan: those that lie beside each other, or overlap by no more than half."""
    result: list[list[Placed]] = []
    for part in parts:
        for other in result[-_LOOK_BACK:]:
            if _clash(other, part) <= 0.5:
                other += part
                break
        else:
            result.append(list(part))
    return result


def _clash(one: list[Placed], other: list[Placed]) -> float:
    """Share of the smaller part's slices for which the larger one has no room."""
    small, large = sorted((one, other), key=len)
    room = _NO_ROOM * min((size for size in (_step(large), _thickness(large)) if size), default=0.0)
    there = np.sort([depth for _, depth, _ in large])
    own = np.array([depth for _, depth, _ in small])
    after = np.searchsorted(there, own)
    distance = np.minimum(
        np.abs(own - there[np.minimum(after, len(there) - 1)]),
        np.abs(own - there[np.maximum(after - 1, 0)]),
    )
    same_place = np.isin([number for _, _, number in small], [number for _, _, number in large])
    return float(np.mean(same_place | (distance < room)))


def _step(part: list[Placed]) -> float:
    depths = np.unique([number for _, _, number in part], return_index=True)[1]
    levels = np.sort([part[index][1] for index in depths])
    return float(np.median(np.diff(levels))) if len(levels) > 1 else 0.0


def _thickness(part: list[Placed]) -> float:
    return float(np.median([_thickness_of(member) for member, _, _ in part]))


def _thickness_of(member: LooseFrame) -> float:
    plane = member.frame.plane
    return plane.thickness if plane else 0.0


def _most(members: Sequence[Placed]) -> int:
    """Largest number of frames at one depth."""
    return max(Counter(number for _, _, number in members).values())


def _runs(parts: list[list[Placed]]) -> list[list[Placed]]:
    """Lay parts one after another into a volume until one repeats a depth, then into the next."""
    result: list[list[Placed]] = []
    depths: set[int] = set()
    for part in parts:
        own = {number for _, _, number in part}
        if not result or depths & own:
            result.append([])
            depths = set()
        result[-1] += part
        depths |= own
    return result


def _first_fit(parts: list[list[Placed]]) -> list[list[Placed]]:
    """Lay each part into the first volume that has none of its depths."""
    result: list[list[Placed]] = []
    turns: dict[int, set[int]] = defaultdict(set)
    free: dict[int, int] = defaultdict(int)  # the first volume that lacks a depth
    for part in parts:
        own = {number for _, _, number in part}
        turn = max(free[number] for number in own)
        while any(turn in turns[number] for number in own):
            turn += 1
        result += [[] for _ in range(turn + 1 - len(result))]
        result[turn] += part
        for number in own:
            turns[number].add(turn)
            while free[number] in turns[number]:
                free[number] += 1
    return result


def _by_text(members: list[Placed], mark: str) -> list[list[Placed]]:
    parts: dict[str, list[Placed]] = defaultdict(list)
    for one in members:
        parts[str(_value(one[0], mark) or "")].append(one)
    return sorted(parts.values(), key=lambda part: (min(d for _, d, _ in part), part[0][0].order))


def _by_mark(all_members: list[Placed], mark: str, tolerance: float) -> list[list[Placed]]:
    """Part frames by one mark, in its order; those that do not have it come first."""
    values = [_value(member, mark) for member, _, _ in all_members]
    if any(isinstance(value, str) for value in values):
        return _by_text(all_members, mark)
    by_member = {id(one[0]): one for one in all_members}
    members = [one[0] for one in all_members]
    return [
        [by_member[id(member)] for member in part] for part in _by_value(members, mark, tolerance)
    ]


def _by_value(
    members: Sequence[LooseFrame], mark: str, least: float, share: float = 0.0
) -> list[list[LooseFrame]]:
    """Part frames where a number rises by more than a tolerance; without it they come first.

    Args:
        members: The frames.
        mark: Field of :class:`Moment`.
        least: The tolerance.
        share: The tolerance as a share of the number, where that is more.
    """
    without_value = [member for member in members if _value(member, mark) is None]
    with_value = [member for member in members if _value(member, mark) is not None]
    with_value.sort(key=lambda member: float(_value(member, mark) or 0.0))
    parts: list[list[LooseFrame]] = [without_value] if without_value else []
    last = None
    for member in with_value:
        value = float(_value(member, mark) or 0.0)
        if last is None or value - last > max(least, share * abs(last)):
            parts.append([])
        parts[-1].append(member)
        last = value
    return parts


def _value(member: LooseFrame, mark: str) -> Any:
    moment: Moment = member.frame.moment
    return getattr(moment, mark)
