"""One folder of public images: what it holds, whose it is, and how often it is drawn from."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from ...common.progress import Progress, no_progress
from ...errors import ConfigurationError, DataError
from ...imaging.dicom.folder import digest_of, list_files
from ...imaging.dicom.index import index_folder
from ...imaging.examples.pictures import LabelledPictures, has_pictures
from ...imaging.examples.series import series_examples
from ...imaging.labels.source import LabelSource
from ...imaging.labels.table import read_table
from ...imaging.settings import DataSettings
from ...model.example import Example
from ...model.words.vocabulary import Vocabulary
from .credits import CREDITS_FILE, Credit, read_credits

#: Tables that are found by themselves beside pictures.
_TABLES = ("metadata.csv", "labels.csv")


@dataclass(frozen=True, kw_only=True)
class PublicSource:
    """A folder of public images: DICOM files, or pictures with a table.

    Attributes:
        folder: Any nesting; ``sources.csv`` in it says whose the images are.
        weight: How often it is drawn from, against the others and the phantoms.
    """

    folder: Path
    weight: float = 1.0

    @classmethod
    def parse(cls, text: str) -> PublicSource:
        """Read ``FOLDER`` or ``FOLDER=WEIGHT``.

        Raises:
            ConfigurationError: If the weight is no number above zero.

        >>> PublicSource.parse("films=2").weight
        2.0
        """
        folder, equals, number = text.rpartition("=")
        if not equals:
            return cls(folder=Path(text))
        try:
            weight = float(number)
        except ValueError:
            weight = 0.0
        if not 0.0 < weight < 1e6:
            raise ConfigurationError(
                f"The weight of {folder} is {number!r}.",
                hint="Write FOLDER=WEIGHT with a number above 0, such as films=2.",
            )
        return cls(folder=Path(folder), weight=weight)

    @property
    def table(self) -> Path | None:
        """``metadata.csv`` or ``labels.csv`` in the folder: findings, and what pictures show."""
        return next((path for name in _TABLES if (path := self.folder / name).is_file()), None)

    def credits(self) -> tuple[Credit, ...]:
        """Whose the images are; see :func:`read_credits`."""
        return read_credits(self.folder)

    def digest(self) -> str:
        """SHA-256 over names, sizes and times of the folder's files and over its tables."""
        digest = hashlib.sha256(digest_of(list_files(self.folder)).encode())
        for path in (self.table, self.folder / CREDITS_FILE):
            digest.update(path.read_bytes() if path is not None and path.is_file() else b"")
        return digest.hexdigest()

    def read(
        self, vocabulary: Vocabulary, image_size: int, report: Progress = no_progress
    ) -> tuple[list[Example], list[str], list[str]]:
        """Read all examples.

        Returns:
            Examples, whose each is, and from which source each is (empty where no table says).

        Raises:
            DataError: If the folder holds nothing that can be used.
        """
        table = self.table
        if has_pictures(self.folder):
            if table is None:
                raise DataError(
                    f"{self.folder} holds pictures and no table that says what they show.",
                    hint="Put metadata.csv beside them with the columns image, modality, "
                    "body_part and finding.",
                )
            return _read_pictures(self.folder, table, vocabulary, image_size, report)
        labels = None if table is None else read_table(table, vocabulary)
        return _read_scans(self.folder, vocabulary, image_size, labels, report)

    def facts(self) -> dict[str, Any]:
        """What decides about the images, as JSON."""
        return {"folder": self.folder.name, "weight": self.weight, "digest": self.digest()}


def _read_pictures(
    folder: Path, table: Path, vocabulary: Vocabulary, image_size: int, report: Progress
) -> tuple[list[Example], list[str], list[str]]:
    pictures = LabelledPictures(folder, table, vocabulary, image_size)
    examples: list[Example] = []
    patients: list[str] = []
    sources: list[str] = []
    for number, picture in enumerate(pictures, start=1):
        examples.append(picture.example)
        # Tables of several sources call those "unknown" who are many people.
        is_known = not picture.patient.lower().endswith("unknown")
        patients.append(picture.patient if is_known else f"picture {number}")
        sources.append(picture.source)
        report("pictures", number, len(pictures))
    if not examples:
        reasons = ", ".join(f"{count} {reason}" for reason, count in pictures.left_out.items())
        raise DataError(
            f"No picture in {folder} can be used: {reasons or 'there is none'}.",
            hint=f"Name the file of each picture in the column `image` of {table.name}, and what "
            "it is in `modality` (CR, CT or MR) and `body_part`.",
        )
    return examples, patients, sources


def _read_scans(
    folder: Path,
    vocabulary: Vocabulary,
    image_size: int,
    labels: LabelSource | None,
    report: Progress,
) -> tuple[list[Example], list[str], list[str]]:
    settings = DataSettings(image_size=image_size)
    index = index_folder(folder, settings, words=vocabulary, labels=labels)
    examples: list[Example] = []
    patients: list[str] = []
    for number, patient in enumerate(index.patients, start=1):
        for study in patient.studies:
            for series in study.series:
                of_series = series_examples(
                    folder, series, settings, labels=patient.labels
                ).examples
                examples += of_series
                patients += [patient.patient_id] * len(of_series)
        report("patients", number, len(index.patients))
    if not examples:
        raise DataError(
            f"{folder} holds no image that can be trained on.",
            hint=f"`fedscan index {folder}` says what is set aside and why.",
        )
    return examples, patients, [""] * len(examples)
