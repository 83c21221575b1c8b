"""The frames of one series become stacks; what cannot be placed is set aside."""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace

import numpy as np

from ....model.description import Description
from ..geometry import Plane
from ..set_aside import Reason
from .likeness import Floats, alike, common_plane, depths_of, places
from .localizer import is_localizer
from .repeats import common_depths, kinds, volumes
from .stack import LooseFrame, Slice, Stack

#: More slices than any scanner makes of one body: two metres in steps of a quarter millimetre.
MAX_SLICES = 8192
#: Cosine of the angle between slices that belong to one scan of a body region.
_ALONGSIDE = 0.999
#: So many more slice locations than places are a contradiction.
_MORE_LOCATIONS = 1.5


@dataclass(frozen=True)
class SeriesStacks:
    """What a series consists of.

    Attributes:
        stacks: In an order that does not depend on the files' order and names.
        set_aside: Files with frames that are in none of them, by reason.
    """

    stacks: tuple[Stack, ...]
    set_aside: Counter[Reason]


def series_stacks(members: Sequence[LooseFrame]) -> SeriesStacks:
    """Build the stacks of one series.

    Args:
        members: All of its frames, in any order.
    """
    reasons: dict[str, Reason] = {}
    stacks: list[Stack] = []
    groups = list(_same_kind(sorted(members, key=lambda member: member.order)))
    if _is_localizer(groups):
        return SeriesStacks((), Counter([Reason.LOCALIZER] * len({m.path for m in members})))
    with_plane = [group for group in groups if group[0].frame.plane is not None]
    directions = np.array([common_plane(group).normal for group in with_plane]).reshape(-1, 3)
    for group in groups:
        if group[0].frame.plane is None:
            stacks.append(_stack(group, None, (0.0, 0.0)))
    for group, direction in zip(with_plane, directions, strict=True):
        alongside = np.flatnonzero(np.abs(directions @ direction) > _ALONGSIDE)
        scan = [member for index in alongside for member in with_plane[index]]
        stacks += _volumes(group, scan, reasons)
    return SeriesStacks(tuple(stacks), Counter(reasons.values()))


def _same_kind(members: list[LooseFrame]) -> Iterator[list[LooseFrame]]:
    """Part frames by what they show, by size, and by how they lie."""
    parts: dict[tuple[object, ...], list[LooseFrame]] = defaultdict(list)
    for member in members:
        frame, shape = member.frame, member.header.shape
        if frame.plane is None:
            size = tuple(round(side, 4) for side in frame.spacing)
            key = (shape, size, frame.patient_orientation, frame.moment.image_type)
            parts[(_apart_from_plane(frame.description), "projection", *key)].append(member)
        else:
            parts[(_apart_from_plane(frame.description), "slice", shape)].append(member)
    for kind in sorted(parts, key=repr):
        yield from alike(parts[kind]) if kind[1] == "slice" else [parts[kind]]


def _apart_from_plane(description: Description) -> Description:
    """What must be equal in a stack. Near 45 degrees the plane's name hangs on a last digit, and
    so does an MR weighting near its thresholds: most slices of a stack decide on those.
    """
    if description.modality.endswith("MR"):
        description = replace(description, modality="MR", sequence="")
    return replace(description, plane="")


def _is_localizer(groups: Sequence[Sequence[LooseFrame]]) -> bool:
    with_plane = [group for group in groups if group[0].frame.plane is not None]
    frames = [[member.frame for member in group] for group in with_plane]
    return is_localizer(
        [member.header.name for group in with_plane for member in group],
        [[frame.plane for frame in group if frame.plane] for group in frames],
        is_derived=any("DERIVED" in f.moment.image_type for group in frames for f in group),
    )


def _volumes(
    group: list[LooseFrame], scan: list[LooseFrame], reasons: dict[str, Reason]
) -> Iterator[Stack]:
    """Build the volumes of like frames; ``scan`` is all of the series in their direction."""
    common = common_plane(group)
    along = depths_of(scan, common)
    reach = float(along.min()), float(along.max())
    for place in places(group, common):
        depths = depths_of(place, common)
        if _is_unplaced(place, depths):
            reasons.update({member.path: Reason.GEOMETRY for member in place})
            continue
        for kind in kinds(place):
            depths = depths_of(kind, common)
            for indices in volumes(kind, depths):
                of_volume = [kind[index] for index in indices]
                yield _stack(_bounded(of_volume, common, reasons), common, reach)


def _is_unplaced(members: list[LooseFrame], depths: Floats) -> bool:
    """Whether different slices claim one place: then the places in the headers mean nothing."""
    places = int(common_depths(members, depths).max()) + 1
    locations = [m.frame.location for m in members if m.frame.location is not None]
    if len(locations) == len(members):
        distinct = 1 + int((np.diff(np.sort(locations)) > 0.1).sum())
        if distinct > _MORE_LOCATIONS * places:
            return True
    if places > 1 or len({m.header.instance for m in members}) < len(members):
        return False
    # Images of one slice over time differ in a moment. The time alone is no proof of one at the
    # origin, which many writers put where they know no place.
    nowhere = all(not any(m.frame.plane.position) for m in members if m.frame.plane)
    moments = [m.frame.moment._replace(stored_s=None) for m in members]
    if nowhere:
        moments = [moment._replace(taken_s=None) for moment in moments]
    return len(members) > 1 and len(set(moments)) == 1


def _bounded(
    members: list[LooseFrame], common: Plane, reasons: dict[str, Reason]
) -> list[LooseFrame]:
    """Leave out slices at the place of others, and what no volume can hold; order by depth."""
    depths = depths_of(members, common)
    numbers = common_depths(members, depths)
    first: dict[int, int] = {}
    for index, number in enumerate(numbers.tolist()):
        if first.setdefault(number, index) != index:
            reasons[members[index].path] = Reason.REPEATED
    by_depth = [members[index] for _, index in sorted(first.items())]
    for member in by_depth[MAX_SLICES:]:
        reasons[member.path] = Reason.TOO_MANY
    return by_depth[:MAX_SLICES]


def _stack(members: list[LooseFrame], common: Plane | None, reach: tuple[float, float]) -> Stack:
    frames = [member.frame for member in members]
    description = frames[0].description
    if common is not None:
        words = Counter((f.description.modality, f.description.sequence) for f in frames)
        modality, sequence = max(words, key=lambda pair: (words[pair], pair))
        description = replace(description, plane=common.name, modality=modality, sequence=sequence)
    windows = {frame.window for frame in frames}
    return Stack(
        description=description,
        shape=members[0].header.shape,
        spacing=common.spacing if common else frames[0].spacing,
        patient_orientation=frames[0].patient_orientation,
        window=windows.pop() if len(windows) == 1 else None,
        synthetic=any(member.header.synthetic for member in members),
        slices=tuple(
            Slice(
                path=member.path,
                frame=member.number,
                sop_uid=member.header.sop_uid,
                plane=_in_stack(frame.plane, common),
                compressed=member.header.compressed,
            )
            for member, frame in zip(members, frames, strict=True)
        ),
        reach=reach,
    )


def _in_stack(plane: Plane | None, common: Plane | None) -> Plane | None:
    """Give a slice the directions and pixels of its stack: they differ by last digits only."""
    if plane is None or common is None:
        return None
    return replace(common, position=plane.position, thickness=plane.thickness)
