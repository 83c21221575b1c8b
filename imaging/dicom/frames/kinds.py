"""What a file is, where its modality alone would mislead."""

from __future__ import annotations

import re

from pydicom import Dataset

from ..fields import first_text, texts
from ..set_aside import Reason

#: Header keywords that the kind of a file is told by.
TOLD_KIND_BY = (
    "ImageType", "Modality", "ProtocolName", "SOPClassUID", "ScanOptions", "SeriesDescription",
    "BodyPartExamined",
)  # fmt: skip

_STORAGE = "1.2.840.10008.5.1.4.1.1."
_CT_IMAGE = f"{_STORAGE}2"
#: Positron emission (also enhanced and converted) and nuclear medicine (PS3.4 B.5).
_NUCLEAR = tuple(_STORAGE + end for end in ("20", "128", "128.1", "130"))
#: Volumes reconstructed of films: 3D angiographic, craniofacial, breast tomosynthesis, and the
#: projections that the last is made of.
_VOLUMES_OF_FILMS = f"{_STORAGE}13.1."
_SECTIONS = ("CT", "MR", "SEG")
_TOMOSYNTHESIS = re.compile(r"\btomosynth|\bdbt\b")
_BREAST = re.compile(r"\b(breast|mamm\w*)\b")
_SCOUT_OPTION = re.compile(r"SCOUT|SURVIEW|TOPO")


def foreign_kind(ds: Dataset) -> Reason | None:
    """Tell why a file of a supported modality is none of its images; ``None`` if it is.

    Args:
        ds: Header fields; those of :data:`TOLD_KIND_BY` are looked at.
    """
    storage = first_text(ds, "SOPClassUID")
    if storage in _NUCLEAR:
        return Reason.MODALITY
    modality = first_text(ds, "Modality").upper()
    if storage.startswith(_VOLUMES_OF_FILMS) or (
        # Before tomosynthesis had a class of its own it was stored as CT: its values are no
        # Hounsfield units, and its slices no films.
        storage == _CT_IMAGE and (modality not in _SECTIONS or _says_tomosynthesis(ds))
    ):
        return Reason.TOMOSYNTHESIS
    types = [kind.upper() for kind in texts(ds, "ImageType")]
    if "LOCALIZER" in types or any(
        _SCOUT_OPTION.search(option.upper()) for option in texts(ds, "ScanOptions")
    ):
        return Reason.LOCALIZER
    return None


def _says_tomosynthesis(ds: Dataset) -> bool:
    words = " ".join(
        text
        for keyword in ("ImageType", "SeriesDescription", "ProtocolName")
        for text in texts(ds, keyword)
    ).lower()
    words = words.replace("_", " ")
    part = first_text(ds, "BodyPartExamined").lower()
    return bool(
        _TOMOSYNTHESIS.search(words) or (_BREAST.search(part) and re.search(r"\btomo", words))
    )
