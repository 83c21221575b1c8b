"""From a header to a caption: coded fields select words of the closed vocabulary.

Nothing is copied. Free text (study and series descriptions) can at most select a word
where no code is given, so no name, date or note has a way into a caption.
"""

from __future__ import annotations

import re
from collections.abc import Iterable
from datetime import date

from pydicom import Dataset

from ...model.description import Description, age_band
from .codes import (
    BODY_PART_CODE,
    BODY_PART_WORD,
    FINDING_CODE,
    FINDING_WORDS,
    HEDGED,
    MODALITY,
    NO_FINDING,
    PNEUMONIA_ICD10,
    VIEW_CODE,
    VIEW_WORD,
)
from .fields import code_values, first_text, items, texts, tokens
from .mr_weighting import weighting

#: Header keywords that describing an image looks at.
DESCRIBED_BY = (
    "AcquisitionContrast", "AcquisitionDate", "AdmittingDiagnosesCodeSequence",
    "AdmittingDiagnosesDescription", "AnatomicRegionSequence", "BodyPartExamined",
    "ContrastBolusAgent", "ContrastBolusAgentSequence", "DiffusionBValue", "EchoPulseSequence",
    "EchoTime", "EffectiveEchoTime", "FlipAngle", "InversionTime", "Modality", "PatientAge",
    "PatientBirthDate", "PatientSex", "ProtocolName", "RepetitionTime", "ScanningSequence",
    "SeriesDate", "SeriesDescription", "StudyDate", "StudyDescription", "ViewCodeSequence",
    "ViewPosition",
)  # fmt: skip


def describe(ds: Dataset, *, plane: str = "") -> Description | None:
    """Describe one image by its flat (frame-level) header.

    Args:
        ds: Header fields; those of :data:`DESCRIBED_BY` are looked at.
        plane: Anatomical plane, known from the geometry; empty for projections.

    Returns:
        The description, or ``None`` if the modality is not in the vocabulary.
    """
    modality = MODALITY.get(first_text(ds, "Modality").upper(), "")
    if not modality:
        return None
    projection = modality == "X-ray"
    return Description(
        modality=weighting(ds) if modality == "MR" else modality,
        body_part=_body_part(ds),
        plane="" if projection else plane,
        view=_view(ds) if projection else "",
        finding=_finding(ds),
        contrast=_contrast(ds),
        sex={"F": "female", "M": "male"}.get(first_text(ds, "PatientSex").upper(), ""),
        age_band=_age_band(ds),
    )


def _only(words: Iterable[str]) -> str:
    """Return the one word that all agree on, else nothing."""
    distinct = set(words)
    return distinct.pop() if len(distinct) == 1 else ""


def _body_part(ds: Dataset) -> str:
    codes = [c for c in code_values(ds, "AnatomicRegionSequence") if c in BODY_PART_CODE]
    if codes:
        return _only(BODY_PART_CODE[c] for c in codes) or "body"
    for fields in (
        ("BodyPartExamined",),
        ("SeriesDescription", "ProtocolName"),
        ("StudyDescription",),
    ):
        words = tokens(ds, *fields)
        words = ["".join(words)] if "".join(words) in BODY_PART_WORD else words
        if found := [BODY_PART_WORD[word] for word in words if word in BODY_PART_WORD]:
            return "spine" if "spine" in found else _only(found) or "body"
    return "body"


def _view(ds: Dataset) -> str:
    codes = [VIEW_CODE[c] for c in code_values(ds, "ViewCodeSequence") if c in VIEW_CODE]
    if codes:
        return _only(codes)
    for field in ("ViewPosition", "SeriesDescription"):
        if found := [VIEW_WORD[word] for word in tokens(ds, field) if word in VIEW_WORD]:
            return _only(found)
    return ""


def _finding(ds: Dataset) -> str:
    for code in code_values(ds, "AdmittingDiagnosesCodeSequence"):
        if code in FINDING_CODE:
            return FINDING_CODE[code]
        if PNEUMONIA_ICD10.match(code):
            return "pneumonia"
    for field in ("AdmittingDiagnosesDescription", "StudyDescription", "SeriesDescription"):
        for text in texts(ds, field):
            if found := _finding_in(text.lower()):
                return found
    return ""


def _finding_in(text: str) -> str:
    if NO_FINDING.search(text):
        return "no finding"
    if HEDGED.search(text):
        return ""
    return next((word for pattern, word in FINDING_WORDS if pattern.search(text)), "")


def _contrast(ds: Dataset) -> str:
    # An absent agent proves nothing: many scanners leave the module out. So only an agent,
    # or an explicit "none", says something.
    agents = [text.lower() for text in texts(ds, "ContrastBolusAgent") if text]
    if agents and all(agent in ("none", "no", "n") for agent in agents):
        return "without contrast"
    return "with contrast" if agents or any(items(ds, "ContrastBolusAgentSequence")) else ""


_YEARS_PER_UNIT = {"D": 1 / 365.25, "W": 7 / 365.25, "M": 1 / 12, "Y": 1.0}


def _age_band(ds: Dataset) -> str:
    if match := re.fullmatch(r"(\d{1,3})([DWMY])", first_text(ds, "PatientAge").upper()):
        years = int(match[1]) * _YEARS_PER_UNIT[match[2]]
    else:
        born = _date(ds, "PatientBirthDate")
        seen = next(
            filter(None, (_date(ds, f) for f in ("StudyDate", "SeriesDate", "AcquisitionDate"))),
            None,
        )
        if born is None or seen is None:
            return ""
        years = (seen - born).days / 365.25
    return age_band(years) if 0 <= years <= 130 else ""


def _date(ds: Dataset, keyword: str) -> date | None:
    text = first_text(ds, keyword)
    try:
        return date(int(text[:4]), int(text[4:6]), int(text[6:8])) if len(text) == 8 else None
    except ValueError:
        return None
