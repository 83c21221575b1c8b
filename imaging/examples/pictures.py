"""Pictures (PNG, JPEG) beside a table that says what they show: public data to pre-train on.

A picture says nothing of itself, so everything comes from the table: what kind of image it is,
whose, and what is found. Intensities have no unit; they are taken relative to the picture.
"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np
from PIL import Image, UnidentifiedImageError

from ...model.description import MODALITIES, SEXES, Description
from ...model.example import Example
from ...model.intensity import percentile_to_model
from ...model.planes import PLANES
from ...model.words.vocabulary import Vocabulary
from ..dicom.codes import MODALITY
from ..dicom.folder import list_files
from ..labels.apply import described
from ..labels.source import ImageKeys, LabelReport, Split
from ..labels.table import parse_table, read_table
from .resample import fitted_size, pad_square, resize_images

_PICTURE = re.compile(r"\.(png|jpe?g)$", re.IGNORECASE)
#: Columns that say what a picture shows besides its findings, in small letters and digits.
_COLUMNS = {
    "modality": ("modality",),
    "part": ("bodypart", "bodypartexamined", "anatomy", "region"),
    "view": ("planeorview", "view", "viewposition", "plane", "projection"),
    "sequence": ("sequenceorkernel", "sequence", "contrast"),
    "sex": ("sex", "patientsex", "gender"),
    "source": ("source", "dataset"),
}


@dataclass(frozen=True)
class LabelledPicture:
    """A picture as an example.

    Attributes:
        patient: Whose it is, by the table; the picture's own path where it does not say.
        split: The side that the table wants the patient on.
        source: Which source of several the table says that it is from; empty if it does not say.
        example: The image and what it shows.
    """

    patient: str = field(repr=False)
    split: Split | None
    source: str
    example: Example


@dataclass
class LabelledPictures:
    """A folder of pictures with its table; iterate to read them one after another.

    Args:
        folder: Any nesting.
        table: See :func:`~fedscan.imaging.labels.table.read_table`; besides, columns for modality,
            body part, plane or view, sequence and sex.
        words: The vocabulary that descriptions are made of.
        image_size: Side of the images, pixels.
        by: What rows are matched by, as for the table.

    Attributes:
        left_out: Pictures that cannot be used, by reason; known at the end.

    Raises:
        DataError: If folder or table cannot be used.
    """

    folder: Path
    table: Path
    words: Vocabulary
    image_size: int
    by: str = ""
    left_out: Counter[str] = field(default_factory=Counter, init=False)

    def __post_init__(self) -> None:
        self._labels = read_table(self.table, self.words, self.by)
        self._labelling = self._labels.begin()
        names, rows = parse_table(self.table, self.table.read_bytes())
        plain = [re.sub(r"[^a-z0-9]", "", name.casefold()) for name in names]
        self._columns = {
            what: [plain.index(name) for name in spellings if name in plain]
            for what, spellings in _COLUMNS.items()
        }
        self._cells = rows
        self._paths = [one.path for one in list_files(self.folder) if _PICTURE.search(one.path)]

    def __len__(self) -> int:
        return len(self._paths)

    def __iter__(self) -> Iterator[LabelledPicture]:
        """Read the pictures that have a row, in the order of their paths."""
        for path in self._paths:
            keys = ImageKeys(path=path)
            patient = self._labelling.patient_of(keys)
            keys = ImageKeys(path=path, patient=patient)
            rows = self._labelling.rows_about(keys)
            label = self._labelling.label(keys)
            if label is None:
                self.left_out["no row in the table"] += 1
                continue
            cells = self._said(self._cells[rows[0]])
            description = describe_row(cells, self.words)
            if description is None:
                self.left_out["modality unknown"] += 1
                continue
            image = _image(self.folder / path, self.image_size)
            if image is None:
                self.left_out["no picture that can be read"] += 1
                continue
            yield LabelledPicture(
                patient=patient or path,
                split=self._labelling.split(patient),
                source=cells["source"],
                example=Example(image=image, description=described(description, label)),
            )

    def fit(self) -> LabelReport:
        """Return how table and pictures fit together, once all were read."""
        return self._labelling.report()

    def _said(self, cells: list[str]) -> dict[str, str]:
        return {
            what: next((text for n in numbers if (text := cells[n].strip())), "")
            for what, numbers in self._columns.items()
        }


def has_pictures(folder: Path) -> bool:
    """Whether there is any picture in a folder or below it."""
    return any(_PICTURE.search(one.path) for one in list_files(folder))


def describe_row(cells: Mapping[str, str], words: Vocabulary) -> Description | None:
    """Describe a picture by what its row says in the words of a vocabulary, or as DICOM has them.

    Args:
        cells: ``modality``, ``part``, ``view`` (or plane), ``sequence`` and ``sex``; may be empty.
        words: The vocabulary.

    Returns:
        The description without findings; ``None`` if the modality is none of ours.
    """
    text = cells["modality"]
    modality = MODALITY.get(text.upper()) or {m.lower(): m for m in MODALITIES}.get(text.lower())
    if modality is None:
        return None
    part = words.find(cells["part"], "body part")
    sequence = words.find(cells["sequence"], "sequence") if modality == "MR" else None
    weighting = re.match(r"t([12])\b", cells["sequence"].lower())
    if sequence is not None:
        modality = sequence.within or modality
    elif modality == "MR" and weighting:
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
    )


def _image(path: Path, side: int) -> np.ndarray | None:
    try:
        with Image.open(path) as picture:
            wide = picture.mode.startswith(("I", "F"))
            values = np.asarray(picture if wide else picture.convert("L"), np.float32)
    except (UnidentifiedImageError, OSError, Image.DecompressionBombError):
        return None
    if min(values.shape) < 8:
        return None
    size, _ = fitted_size(values.shape, (1.0, 1.0), side)
    image = percentile_to_model(resize_images(values[None], size)[0])
    return np.asarray(pad_square(image[None], side, -1.0)[0], np.float32)
