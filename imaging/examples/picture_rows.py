"""What a row of a table says of a picture besides its findings: what kind of image, and of what."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence

from ...errors import ConfigurationError
from ...model.description import (
    AGE_BANDS,
    FRONTAL,
    FRONTAL_VIEWS,
    MODALITIES,
    SEXES,
    Description,
    age_band,
)
from ...model.planes import PLANES
from ...model.prompt import read_prompt
from ...model.words.vocabulary import Vocabulary
from ..dicom.codes import MODALITY
from ..dicom.describe import YEARS_PER_UNIT
from ..labels.columns import plain_names

#: Columns that say what a picture shows, in small letters and digits.
_COLUMNS = {
    "modality": ("modality",),
    "part": ("bodypart", "bodypartexamined", "anatomy", "region"),
    "view": ("planeorview", "view", "viewposition", "plane", "projection"),
    "sequence": ("sequenceorkernel", "sequence", "contrast"),
    "sex": ("sex", "patientsex", "gender"),
    "age": ("age", "patientage", "ageband"),
    "source": ("source", "dataset"),
}


def picture_columns(names: Sequence[str]) -> dict[str, list[int]]:
    """Find the columns that say what pictures show.

    Args:
        names: Names of a table's columns.

    Returns:
        Numbers of the columns for ``modality``, ``part``, ``view`` (or plane), ``sequence``,
        ``sex``, ``age`` and ``source``, the first to be asked first; none where there is no such
        column.
    """
    plain = plain_names(names)
    return {
        what: [plain.index(name) for name in spellings if name in plain]
        for what, spellings in _COLUMNS.items()
    }


def read_phrase(phrase: str, words: Vocabulary) -> Description | None:
    """Read what all pictures of a folder show, such as ``"chest X-ray"``; nothing of an empty one.

    Args:
        phrase: Modality, part of the body, side, view or plane, sequence and contrast, in words.
        words: The vocabulary.

    Raises:
        ConfigurationError: If it names no modality, or something else or unknown.
    """
    if not phrase:
        return None
    reading = read_prompt(phrase, words)
    description = reading.description
    hint = "Say for instance 'chest X-ray' or 'axial T1-weighted MR of the head'."
    if description is None:
        raise ConfigurationError(f"{phrase!r} names no kind of image.", hint=hint)
    if unread := (*reading.unknown_words, *reading.unsure, *reading.contradictions):
        raise ConfigurationError(
            f"{', '.join(unread)}: that of {phrase!r} cannot be read.", hint=hint
        )
    if description.known_findings or description.sex or description.age_band:
        raise ConfigurationError(
            f"{phrase!r} says more than what kind of images all pictures are.",
            hint=f"Findings, sex and age belong in the table. {hint}",
        )
    return description


def unknown_places(cells: Mapping[str, str], words: Vocabulary) -> list[str]:
    """Return what a row says of body part and view that is no word of the vocabulary."""
    without_meaning = []
    if cells["part"] and words.find(cells["part"], "body part") is None:
        without_meaning.append(cells["part"])
    if cells["view"].lower() not in ("", *PLANES) and words.find(cells["view"], "view") is None:
        without_meaning.append(cells["view"])
    return without_meaning


def describe_row(
    cells: Mapping[str, str], words: Vocabulary, every: Description | None = None
) -> Description | None:
    """Describe a picture by what its row says in the words of a vocabulary, or as DICOM has them.

    Args:
        cells: ``modality``, ``part``, ``view`` (or plane), ``sequence``, ``sex`` and ``age``; may
            be empty.
        words: The vocabulary.
        every: What every picture shows, where its row does not say otherwise.

    Returns:
        The description without findings; ``None`` if the modality is none of ours.
    """
    own = _own_description(cells, words, every.modality if every else "")
    if own is None or every is None or _kind(own.modality) != _kind(every.modality):
        return own
    # "Frontal" leaves open which of two projections it is.
    is_narrower = own.view == FRONTAL and every.view in FRONTAL_VIEWS
    return Description(
        modality=own.modality,
        body_part=own.body_part if cells["part"] else every.body_part,
        part=own.part if cells["part"] else every.part,
        laterality=every.laterality,
        plane=own.plane or every.plane,
        view=every.view if is_narrower else own.view or every.view,
        sequence=own.sequence or every.sequence,
        kernel=every.kernel,
        contrast=own.contrast or every.contrast,
        sex=own.sex,
        age_band=own.age_band,
    )


def _kind(modality: str) -> str:
    """Return a modality without its weighting."""
    return modality.rpartition(" ")[2] if modality.endswith("MR") else modality


def _own_description(
    cells: Mapping[str, str], words: Vocabulary, otherwise: str
) -> Description | None:
    text = cells["modality"]
    modality = MODALITY.get(text.upper()) or {m.lower(): m for m in MODALITIES}.get(text.lower())
    if not text and otherwise:
        modality = otherwise
    if modality is None:
        return None
    part = words.find(cells["part"], "body part")
    is_mr = modality.endswith("MR")
    sequence = words.find(cells["sequence"], "sequence") if is_mr else None
    weighting = re.match(r"t([12])\b", cells["sequence"].lower())
    if sequence is not None:
        modality = sequence.within or modality
    elif is_mr and weighting:
        modality = f"T{weighting[1]}-weighted MR"
    view = words.find(cells["view"], "view") if modality == "X-ray" else None
    plane = cells["view"].lower()
    contrast = "with contrast" if "with contrast" in cells["sequence"].lower() else ""
    sex = {"f": "female", "m": "male"}.get(cells["sex"].lower(), cells["sex"].lower())
    return Description(
        modality=modality,
        body_part=part.within if part else "body",
        part=part.word if part and part.word != part.within else "",
        plane=plane if plane in PLANES and modality != "X-ray" else "",
        view=view.word if view else "",
        sequence=sequence.word if sequence else "",
        contrast=contrast,
        sex=sex if sex in SEXES else "",
        age_band=_age_band(cells["age"].lower()),
    )


def _age_band(text: str) -> str:
    """Name the age band of an age in years (``61``, ``061Y``), in shorter units, or of a band."""
    if text in AGE_BANDS:
        return text
    if match := re.fullmatch(r"(\d{1,3})(?:\.\d+)? *(y|years?|m|months?|w|weeks?|d|days?|)", text):
        years = int(match[1]) * YEARS_PER_UNIT[match[2][:1].upper() or "Y"]
        return age_band(years) if years <= 130 else ""
    return ""
