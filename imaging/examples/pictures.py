"""Pictures (PNG, JPEG) beside a table that says what they show: public data to pre-train on.

A picture says nothing of itself, so everything comes from the table: what kind of image it is,
whose, and what is found. Intensities have no unit; they are taken relative to the picture.
"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass, field, replace
from pathlib import Path

import numpy as np
from PIL import Image, UnidentifiedImageError
from pydicom.errors import InvalidDicomError

from ...errors import DataError
from ...model.description import Description
from ...model.example import Example
from ...model.intensity import percentile_to_model
from ...model.words.vocabulary import Vocabulary
from ..dicom.files.parsing import has_preamble
from ..dicom.folder import list_files
from ..labels.apply import described
from ..labels.matching import shown_words
from ..labels.source import ImageKeys, LabelReport, Split
from ..labels.table import parse_table, read_table, table_content
from .margins import without_bars, without_margins
from .picture_rows import describe_row, picture_columns, read_phrase, unknown_places
from .resample import fitted_size, pad_square, resize_images

_PICTURE = re.compile(r"\.(png|jpe?g)$", re.IGNORECASE)
#: Tables that are found by themselves in a folder of pictures.
_OWN_TABLES = ("metadata.csv", "labels.csv")
NO_ROW, UNKNOWN_MODALITY, UNREADABLE = (
    "no row in the table",
    "modality unknown",
    "no picture that can be read",
)


#: Pixels that a picture has at least along a side.
_LEAST_SIDE = 8


@dataclass(frozen=True)
class LabelledPicture:
    """A picture as an example.

    Attributes:
        patient: Whose it is, by the table; the picture's own path where it does not say.
        split: The side that the table wants the patient on.
        source: Which source of several the table says that it is from; empty if it does not say.
        example: The image and what it shows.
        whole: The picture with its margins, in the form of the image, which may lack them.
    """

    patient: str = field(repr=False)
    split: Split | None
    source: str
    example: Example
    whole: np.ndarray = field(repr=False)


@dataclass(frozen=True)
class _Entry:
    """A picture whose row says enough, before it is read; ``row_patient`` is whom its rows name."""

    path: str
    patient: str
    row_patient: str
    source: str
    description: Description


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
        all_show: What all pictures show where their rows do not say; see
            :func:`~fedscan.imaging.examples.picture_rows.read_phrase`.
        evens_out: Whether every second picture loses its black margins. Collections fill films up
            to squares and leave heads small, hospitals have both, and a base draws what it was
            shown.

    Attributes:
        left_out: Pictures that cannot be used, by reason; known at the end.
        fit: How table and pictures fit together.

    Raises:
        ConfigurationError: If ``all_show`` cannot be read.
        DataError: If folder or table cannot be used.
    """

    folder: Path
    table: Path
    words: Vocabulary
    image_size: int
    by: str = ""
    all_show: str = ""
    evens_out: bool = False
    left_out: Counter[str] = field(default_factory=Counter, init=False)
    fit: LabelReport = field(init=False)

    def __post_init__(self) -> None:
        every = read_phrase(self.all_show, self.words)
        labels = read_table(self.table, self.words, self.by)
        names, rows = parse_table(self.table, table_content(self.table))
        columns = picture_columns(names)
        if every is None and not columns["modality"]:
            raise DataError(
                f"{self.table.name} does not say what kind of images the pictures are.",
                hint="Give it a column `modality` (CR, CT, MR …) and one `body_part`, or say it of "
                "all pictures: --all-show 'chest X-ray'.",
            )
        labelling = labels.begin()
        entries: list[_Entry] = []
        cells_without_meaning: Counter[str] = Counter()
        for entry in list_files(self.folder):
            if not _PICTURE.search(entry.path):
                continue
            # A picture has no header: whose it is, its rows say themselves.
            keys = ImageKeys(path=entry.path)
            patient = labelling.patient_of(keys)
            keys = ImageKeys(path=entry.path, patient=patient)
            label = labelling.label(keys)
            if label is None:
                self.left_out[NO_ROW] += 1
                continue
            row = rows[labelling.rows_about(keys)[0]]
            cells = {
                what: next((text for n in numbers if (text := row[n].strip())), "")
                for what, numbers in columns.items()
            }
            description = describe_row(cells, self.words, every)
            if description is None:
                self.left_out[UNKNOWN_MODALITY] += 1
                continue
            cells_without_meaning.update(unknown_places(cells, self.words))
            # Tables of several sources call those "unknown" who are many people.
            is_known = bool(patient) and not patient.lower().endswith("unknown")
            entries.append(
                _Entry(
                    path=entry.path,
                    patient=patient if is_known else entry.path,
                    row_patient=patient,
                    source=cells["source"],
                    description=described(description, label),
                )
            )
        # Only now, for a later row may hold a patient out.
        self._entries = [(one, labelling.split(one.row_patient)) for one in entries]
        report = labelling.report()
        column_names = {names[number] for numbers in columns.values() for number in numbers}
        other_columns = tuple(name for name in report.unknown_columns if name not in column_names)
        unknown_words = Counter(report.unknown_words) + Counter(shown_words(cells_without_meaning))
        self.fit = replace(report, unknown_columns=other_columns, unknown_words=dict(unknown_words))

    def __len__(self) -> int:
        return len(self._entries)

    def __iter__(self) -> Iterator[LabelledPicture]:
        """Read the pictures whose rows say enough, in the order of their paths."""
        for number, (one, split) in enumerate(self._entries):
            values = _decoded(self.folder / one.path)
            if values is None:
                self.left_out[UNREADABLE] += 1
                continue
            image = whole = _as_image(values, self.image_size)
            if self.evens_out and number % 2:
                is_film = one.description.modality == "X-ray"
                inner = (without_bars if is_film else without_margins)(values)
                if min(inner.shape) >= _LEAST_SIDE:
                    image = _as_image(inner, self.image_size)
            yield LabelledPicture(
                patient=one.patient,
                split=split,
                source=one.source,
                example=Example(image=image, description=one.description),
                whole=whole,
            )


def own_table(folder: Path) -> Path | None:
    """Return the ``metadata.csv`` or ``labels.csv`` that lies in a folder, if one does."""
    return next((path for name in _OWN_TABLES if (path := folder / name).is_file()), None)


def picture_paths(folder: Path) -> list[Path]:
    """Return all pictures in a folder and below it, in the order of their paths."""
    return [folder / one.path for one in list_files(folder) if _PICTURE.search(one.path)]


def holds_scans(folder: Path) -> bool:
    """Whether there is any DICOM file in a folder or below it."""
    return any(
        _is_dicom(folder / one.path) for one in list_files(folder) if not _PICTURE.search(one.path)
    )


def _is_dicom(path: Path) -> bool:
    try:
        has_preamble(path)  # with or without one: it refuses what is neither
    except (InvalidDicomError, OSError):
        return False
    return True


def read_picture(path: Path, side: int) -> np.ndarray | None:
    """Read a picture as an image of a side in pixels, ``[side, side]`` in [-1, 1].

    Returns:
        The image, padded with black; nothing if it is no picture or too small for one.
    """
    values = _decoded(path)
    return None if values is None else _as_image(values, side)


def _decoded(path: Path) -> np.ndarray | None:
    """Decode a picture, ``[H, W]``; nothing if it is none or too small for one."""
    try:
        with Image.open(path) as picture:
            wide = picture.mode.startswith(("I", "F"))
            values = np.asarray(picture if wide else picture.convert("L"), np.float32)
    except (UnidentifiedImageError, OSError, Image.DecompressionBombError):
        return None
    return values if min(values.shape) >= _LEAST_SIDE else None


def _as_image(values: np.ndarray, side: int) -> np.ndarray:
    size, _ = fitted_size(values.shape, (1.0, 1.0), side)
    image = percentile_to_model(resize_images(values[None], size)[0])
    return np.asarray(pad_square(image[None], side, -1.0)[0], np.float32)
