"""Localizers that are not flagged: the pictures that a scan was planned on."""

from __future__ import annotations

import re
from collections.abc import Sequence
from typing import Literal

import numpy as np
from pydicom import Dataset

from ..fields import first_text
from ..geometry import Plane

#: What a series' name says: nothing, perhaps a localizer, or surely one.
NameOfLocalizer = Literal["", "perhaps", "surely"]

_SURELY = re.compile(
    r"\b(aa)?(head|spine|knee|shoulder|heart|hip)?[ _-]*"
    r"(locali[sz](er|ers|ador|ateur|atore)|lokali[sz]er|scouts?|topograms?|topogramme"
    r"|scanograms?|surview|uebersicht|übersicht|scout ?view)\b"
)
_PERHAPS = re.compile(
    r"\b(survey|loc|locs|pilot|plan|planning|rep[eé]rage|"
    r"(3|three|tri)[ -]?(pl|plane|planes|plan)( loc)?|smartbrain|position(ing)?)\b"
)
#: Largest number of slices in one plane of a localizer.
_FEW = 15
#: The same where no name says so; and directions, which a radial acquisition has many of.
_VERY_FEW, _FEW_DIRECTIONS = 7, 5
#: Planes that cross by less lie alike, as the angled groups through discs of a spine do.
_LEAST_ANGLE = 45.0


def name_of(ds: Dataset) -> NameOfLocalizer:
    """Tell what the name of a file's series says; the protocol's only where it has no own."""
    name = first_text(ds, "SeriesDescription") or first_text(ds, "ProtocolName")
    words = name.lower().replace("_", " ")
    if _SURELY.search(words):
        return "surely"
    return "perhaps" if _PERHAPS.search(words) else ""


def is_localizer(
    names: Sequence[NameOfLocalizer], planes: Sequence[Sequence[Plane]], *, is_derived: bool
) -> bool:
    """Tell whether a series is a localizer.

    Args:
        names: What the names of its files say.
        planes: The planes of its slices, those that lie alike together.
        is_derived: Whether its images were computed, as reformatted planes of a volume are.
    """
    if not planes:
        return False
    if "surely" in names:
        return True
    crossing = _crossing(planes)
    longest = max(map(len, planes))
    if "perhaps" in names:
        return crossing >= 2 and longest <= _FEW
    few = longest <= _VERY_FEW and len(planes) <= _FEW_DIRECTIONS
    return crossing >= 3 and few and not is_derived


def _crossing(planes: Sequence[Sequence[Plane]]) -> int:
    """Count directions of slices of which each crosses all others."""
    directions: list[np.ndarray] = []
    least = np.cos(np.deg2rad(_LEAST_ANGLE))
    for group in planes:
        normal = group[0].normal
        if all(abs(normal @ other) < least for other in directions):
            directions.append(normal)
    return len(directions)
