"""From a header to a description: coded fields select words of a vocabulary.

Nothing is copied. Free text (study and series descriptions) can at most select a word
where no code is given, so no name, date or note has a way into a caption.
"""

from __future__ import annotations

import re
from collections.abc import Iterable
from datetime import date

from pydicom import Dataset
from pydicom.sr.coding import snomed_mapping

from ...model.description import Description, age_band
from ...model.negation import Said, how_said
from ...model.words.tables import few_words
from ...model.words.vocabulary import NO_FINDING, OTHER_FINDING, Vocabulary, Word
from .codes import MODALITY, OLDER_CODE, OTHER_LAST
from .fields import code_values, first_number, first_text, items, texts
from .mr_weighting import weighting

#: Header keywords that describing an image looks at.
DESCRIBED_BY = (
    "AcquisitionContrast", "AcquisitionDate", "AdmittingDiagnosesCodeSequence",
    "AdmittingDiagnosesDescription", "AnatomicRegionSequence", "BodyPartExamined",
    "ContrastBolusAgent", "ContrastBolusAgentSequence", "ConvolutionKernel", "DiffusionBValue",
    "EchoPulseSequence", "EchoTime", "EffectiveEchoTime", "FlipAngle", "FrameLaterality",
    "FrameType", "ImageLaterality", "ImageType", "InversionTime", "Laterality", "Modality",
    "PatientAge", "PatientBirthDate", "PatientSex", "ProtocolName", "RepetitionTime",
    "ScanningSequence", "SeriesDate", "SeriesDescription", "StudyDate", "StudyDescription",
    "ViewCodeSequence", "ViewPosition",
)  # fmt: skip

#: Regions whose parts come in pairs: a side in a description's text is that of the part.
_PAIRED = ("limb", "pelvis")


def describe(
    ds: Dataset, *, plane: str = "", vocabulary: Vocabulary | None = None
) -> Description | None:
    """Describe one image by its flat (frame-level) header.

    Args:
        ds: Header fields; those of :data:`DESCRIBED_BY` are looked at.
        plane: Anatomical plane, known from the geometry; empty for projections.
        vocabulary: The words that may be selected; those of the frame by default.

    Returns:
        The description, or ``None`` if the modality is not in the vocabulary.
    """
    words = vocabulary or few_words()
    modality = MODALITY.get(first_text(ds, "Modality").upper(), "")
    if not modality:
        return None
    projection = modality == "X-ray"
    region, part = _body_part(ds, words)
    weighting_name = weighting(ds) if modality == "MR" else modality
    description = Description(
        modality=weighting_name,
        body_part=region,
        part=part,
        laterality=_laterality(ds, words, region, part),
        plane="" if projection else plane,
        view=_view(ds, words) if projection else "",
        sequence=_sequence(ds, words, weighting_name) if modality == "MR" else "",
        kernel=_kernel(ds, words) if modality == "CT" else "",
        contrast=_contrast(ds, words),
        sex={"F": "female", "M": "male"}.get(first_text(ds, "PatientSex").upper(), ""),
        age_band=_age_band(ds),
    )
    return words.with_findings(description, _findings(ds, words))


def _coded(ds: Dataset, keyword: str, kind: str, words: Vocabulary) -> list[Word]:
    """Return the words that the codes of a sequence select; older SRT codes are translated."""
    findings = []
    for code in code_values(ds, keyword):
        current = OLDER_CODE.get(code) or snomed_mapping["SRT"].get(code, code)
        if word := words.find_code(current, kind):
            findings.append(word)
    return findings


def _named(ds: Dataset, keywords: Iterable[str], kind: str, words: Vocabulary) -> list[Word]:
    """Return the words that the texts of fields name."""
    text = " ".join(part for keyword in keywords for part in texts(ds, keyword))
    # "C-SPINE" and "ABDOMEN_PELVIS" are one name in some archives.
    whole = words.find(re.sub(r"[\W_]", "", text), kind)
    return [whole] if whole else [word for word, _, _ in words.words_in(text, kind)]


def _only(words: Iterable[Word]) -> str:
    """Return the one word that all agree on, else nothing."""
    distinct = {word.word for word in words}
    return distinct.pop() if len(distinct) == 1 else ""


def _body_part(ds: Dataset, words: Vocabulary) -> tuple[str, str]:
    """Return region and part; the part is empty where only the region is known."""
    if codes := _coded(ds, "AnatomicRegionSequence", "body part", words):
        return _agreed(codes)
    for fields in (
        ("BodyPartExamined",),
        ("SeriesDescription", "ProtocolName"),
        ("StudyDescription",),
    ):
        if candidates := _named(ds, fields, "body part", words):
            return _agreed(candidates)
    breast = words.find("breast", "body part")
    if breast and first_text(ds, "Modality").upper() == "MG":
        return _agreed([breast])
    return "body", ""


def _agreed(words: Iterable[Word]) -> tuple[str, str]:
    """Return the region that body parts lie in, and the part if there is one only."""
    candidates = set(words)
    regions = {word.within for word in candidates}
    # A text such as "spine, chest" names the chest for the level of the spine.
    region = "spine" if "spine" in regions else regions.pop() if len(regions) == 1 else "body"
    return region, _only(w for w in candidates if w.within == region and w.word != w.within)


def _laterality(ds: Dataset, words: Vocabulary, region: str, part: str) -> str:
    for field in ("FrameLaterality", "ImageLaterality", "Laterality"):
        if word := words.find(first_text(ds, field), "laterality"):
            return word.word
    if part and region in _PAIRED:
        return _only(_named(ds, ("SeriesDescription", "ProtocolName"), "laterality", words))
    return ""


def _view(ds: Dataset, words: Vocabulary) -> str:
    if codes := _coded(ds, "ViewCodeSequence", "view", words):
        return _only(codes)
    for field in ("ViewPosition", "SeriesDescription"):
        if candidates := _named(ds, (field,), "view", words):
            return _only(candidates)
    return ""


def _sequence(ds: Dataset, words: Vocabulary, weighting_name: str) -> str:
    """Return the MR sequence, if it fits the weighting: a wrong one would teach a wrong word."""
    for fields in (
        ("AcquisitionContrast",),
        ("ImageType", "FrameType"),
        ("SeriesDescription", "ProtocolName"),
    ):
        candidates = _named(ds, fields, "sequence", words)
        if fitting := [word for word in candidates if word.within == weighting_name]:
            return min(fitting, key=words.words.index).word
    by_timing = ""
    if first_number(ds, "DiffusionBValue"):
        by_timing = "DWI"
    elif (first_number(ds, "InversionTime") or 0) > 1400 and weighting_name == "MR":
        by_timing = "FLAIR"
    word = words.find(by_timing, "sequence")
    return word.word if word and word.within == weighting_name else ""


def _kernel(ds: Dataset, words: Vocabulary) -> str:
    candidates = []
    for text in texts(ds, "ConvolutionKernel"):
        # Siemens adds a letter for the scan mode: Br40d, Hr60f.
        word = words.find(text, "kernel") or words.find(re.sub(r"[a-z]$", "", text), "kernel")
        candidates += [word] if word else []
    return _only(candidates)


def _findings(ds: Dataset, words: Vocabulary) -> list[Word]:
    findings = _coded(ds, "AdmittingDiagnosesCodeSequence", "finding", words)
    if findings:
        # Without finer words a caption says one thing.
        return findings[:1] if words.is_few else findings
    for field in ("AdmittingDiagnosesDescription", "StudyDescription", "SeriesDescription"):
        for text in texts(ds, field):
            if findings := _findings_in(text.lower(), words):
                return findings
    return []


def _findings_in(text: str, words: Vocabulary) -> list[Word]:
    candidates = words.words_in(text, "finding")
    findings = [
        word
        for word, start, end in candidates
        if how_said(text, start, end, far=True, lists=True) is Said.THERE
    ]
    if any(word.within != NO_FINDING for word in findings):
        findings = [word for word in findings if word.within != NO_FINDING]
    if not candidates and OTHER_LAST.search(text):
        other = words.find(OTHER_FINDING)
        findings = [other] if other else []
    return sorted(findings, key=words.words.index)[:1] if words.is_few else findings


def _contrast(ds: Dataset, words: Vocabulary) -> str:
    # An absent agent proves nothing: many scanners leave the module out. So only an agent,
    # or an explicit "none", says something.
    agents = [text.lower() for text in texts(ds, "ContrastBolusAgent") if text]
    if agents and all(agent in ("none", "no", "n") for agent in agents):
        return "without contrast"
    if agents or any(items(ds, "ContrastBolusAgentSequence")):
        return "with contrast"
    return _only(_named(ds, ("SeriesDescription", "ProtocolName"), "contrast", words))


#: Years in a unit of an age (PS3.5 6.2, Age String).
YEARS_PER_UNIT = {"D": 1 / 365.25, "W": 7 / 365.25, "M": 1 / 12, "Y": 1.0}


def _age_band(ds: Dataset) -> str:
    if match := re.fullmatch(r"(\d{1,3})([DWMY])", first_text(ds, "PatientAge").upper()):
        years = int(match[1]) * YEARS_PER_UNIT[match[2]]
    else:
        birth = _date(ds, "PatientBirthDate")
        day = next(
            filter(None, (_date(ds, f) for f in ("StudyDate", "SeriesDate", "AcquisitionDate"))),
            None,
        )
        if birth is None or day is None:
            return ""
        years = (day - birth).days / 365.25
    return age_band(years) if 0 <= years <= 130 else ""


def _date(ds: Dataset, keyword: str) -> date | None:
    text = first_text(ds, keyword)
    try:
        return date(int(text[:4]), int(text[4:6]), int(text[6:8])) if len(text) == 8 else None
    except ValueError:
        return None
