"""Folders of pictures with a table that says what each shows: how public images are given out."""

from __future__ import annotations

import csv
import re
from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from ...common.progress import Progress, no_progress
from ...errors import DataError
from ...model.description import Description
from ...model.example import Example
from ...model.planes import PLANES
from ...model.words.vocabulary import Vocabulary
from ..examples.resample import pad_square, resize_images
from ..labels.apply import described
from ..labels.source import ImageKeys
from ..labels.table import read_table
from .pictures import open_picture

_ENDINGS = (".png", ".jpg", ".jpeg", ".tif", ".tiff", ".bmp")
#: DICOM's codes (PS3.3 C.7.3.1.1.1) and the words that tables have for them.
_MODALITIES = {
    "ct": "CT",
    "mr": "MR",
    "mri": "MR",
    "us": "ultrasound",
    "ultrasound": "ultrasound",
    **dict.fromkeys(("cr", "dx", "dr", "xr", "xray", "radiograph", "film"), "X-ray"),
}
#: Names of columns, in small letters and digits.
_COLUMNS = {
    "image": "image imageid imagepath imagefile file filename path",
    "patient": "patient patientid subject subjectid",
    "source": "source dataset",
    "modality": "modality",
    "part": "bodypart bodypartexamined region anatomy",
    "view": "planeorview view plane viewposition",
    "sequence": "sequenceorkernel sequence kernel contrastweighting",
}


@dataclass(frozen=True, eq=False)
class Pictures:
    """What a folder of pictures gave.

    Attributes:
        examples: Pictures with what they show.
        patients: Whose each is; a picture of an unknown patient is one of its own.
        sources: Where each is from, as the table's column ``source`` says; else empty.
        set_aside: Pictures that are not used, by reason.
    """

    examples: list[Example]
    patients: list[str]
    sources: list[str]
    set_aside: Counter[str]


def has_pictures(folder: Path) -> bool:
    """Whether there is any picture in a folder or below it."""
    return any(path.suffix.lower() in _ENDINGS for path in folder.rglob("*") if path.is_file())


def read_pictures(
    folder: Path,
    table: Path,
    vocabulary: Vocabulary,
    *,
    image_size: int,
    report: Progress = no_progress,
) -> Pictures:
    """Read the pictures that a table has a row for.

    Findings are read as a site's labels are. Values have no unit: black is -1 and white is 1,
    also for CT, which such pictures show in a window.

    Args:
        folder: Any nesting.
        table: Comma-separated values with a row for each picture: its file (``image``, with or
            without the ending), ``modality``, ``body_part``, and, if they are known, ``patient``,
            ``view`` or ``plane``, ``sequence`` and findings.
        vocabulary: The words that cells are read by.
        image_size: Side of the examples in pixels; pictures keep their proportions and are padded.
        report: Told how many pictures are read.

    Raises:
        DataError: If the table cannot be read or fits no picture.
    """
    rows = _rows(table)
    labels = read_table(table, vocabulary, "image").begin()
    found = Pictures([], [], [], Counter())
    files = sorted(path for path in folder.rglob("*") if path.suffix.lower() in _ENDINGS)
    for number, path in enumerate(files, start=1):
        report("pictures", number, len(files))
        inside = path.relative_to(folder).as_posix()
        row = rows.get(_name(path.name)) or rows.get(_name(inside))
        if row is None:
            found.set_aside["no row in the table"] += 1
            continue
        shown = _description(row, vocabulary)
        if shown is None:
            found.set_aside["no modality that fedscan knows"] += 1
            continue
        try:
            image = _pixels(path, image_size)
        except DataError:
            found.set_aside["not readable"] += 1
            continue
        patient = row.get("patient", "")
        label = labels.label(ImageKeys(path=inside, patient=patient))
        found.examples.append(Example(image=image, description=described(shown, label)))
        known = patient and not patient.lower().endswith("unknown")
        found.patients.append(patient if known else inside)
        found.sources.append(row.get("source", ""))
    if not found.examples:
        raise DataError(
            f"No picture in {folder} can be used: {_reasons(found.set_aside)}.",
            hint=f"Name the file of each picture in the column `image` of {table.name}, and what "
            "it is in `modality` (CR, CT or MR) and `body_part`.",
        )
    return found


def _reasons(set_aside: Mapping[str, int]) -> str:
    return ", ".join(f"{count} {reason}" for reason, count in set_aside.items()) or "there is none"


def _rows(table: Path) -> dict[str, dict[str, str]]:
    try:
        lines = list(csv.reader(table.read_text(encoding="utf-8-sig").splitlines()))
    except (OSError, UnicodeDecodeError, csv.Error) as error:
        raise DataError(
            f"The table {table} cannot be read.", hint="Save it as CSV in UTF-8."
        ) from error
    if not lines:
        raise DataError(f"The table {table} is empty.", hint="Give each picture a row.")
    names = [re.sub(r"[^a-z0-9]", "", name.casefold()) for name in lines[0]]
    places = {
        what: next((number for number, name in enumerate(names) if name in known.split()), None)
        for what, known in _COLUMNS.items()
    }
    if places["image"] is None:
        raise DataError(
            f"{table} has no column that names each picture's file.", hint="Call it `image`."
        )
    rows = {}
    for line in lines[1:]:
        cells = {
            what: line[place].strip()
            for what, place in places.items()
            if place is not None and place < len(line)
        }
        rows[_name(cells.get("image", ""))] = cells
    return rows


def _name(file: str) -> str:
    """A file's name without its ending: tables leave it out, or have that of the originals."""
    return re.sub(r"\.(png|jpe?g|tiff?|bmp|dcm)$", "", file, flags=re.IGNORECASE)


def _description(row: Mapping[str, str], vocabulary: Vocabulary) -> Description | None:
    """Say what a row says, in words of the vocabulary; nothing is copied."""
    plain = re.sub(r"[^a-z]", "", row.get("modality", "").casefold())
    if (modality := _MODALITIES.get(plain)) is None:
        return None
    cells = row.get("part", ""), row.get("view", ""), row.get("sequence", "")
    part = vocabulary.find(cells[0], "body part")
    plane = next((name for name in PLANES if name == cells[1].casefold()), "")
    view = None if plane else vocabulary.find(cells[1], "view")
    sequence = vocabulary.find(cells[2], "sequence") if modality == "MR" else None
    shown = Description(modality=modality, plane=plane if modality != "X-ray" else "")
    if part is not None:
        finer = "" if part.word == part.within else part.word
        shown = replace(shown, body_part=part.within, part=finer)
    if view is not None and modality == "X-ray":
        shown = replace(shown, view=view.word)
    if sequence is not None:
        weighted = sequence.word if sequence.word == sequence.within else ""
        shown = replace(shown, modality=sequence.within, sequence="" if weighted else sequence.word)
    elif modality == "MR" and (weighting := re.match(r"(?i)\s*(T[12])\b", cells[2])):
        shown = replace(shown, modality=f"{weighting[1].upper()}-weighted MR")
    if "with contrast" in cells[2].casefold():
        shown = replace(shown, contrast="with contrast")
    return shown


def _pixels(path: Path, size: int) -> NDArray[np.float32]:
    values = np.asarray(open_picture(path).convert("L"), np.float32) / 127.5 - 1.0
    scale = size / max(values.shape)
    fitted = [max(1, round(side * scale)) for side in values.shape]
    padded = pad_square(resize_images(values[None], fitted), size, -1.0)
    return np.asarray(padded[0], np.float32)
