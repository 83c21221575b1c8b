"""Reading the images of a folder of public images, whose table and headers are read already."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Protocol

import numpy as np
from numpy.typing import NDArray

from ...common.progress import Progress, no_progress
from ...errors import DataError
from ...imaging.dicom.index import SiteIndex
from ...imaging.examples.pictures import LabelledPictures
from ...imaging.examples.series import series_examples
from ...imaging.labels.source import LabelReport, Split
from ...imaging.settings import DataSettings
from ...model.description import FRONTAL, FRONTAL_VIEWS
from ...model.example import Example
from .copies import thumbnails

#: Why a patient's images are not trained on though they could be.
HELD_OUT = "held out by the table"
#: What a frontal film is called in turn: prompts and headers name one of the projections.
_FRONTAL_NAMES = (FRONTAL, *FRONTAL_VIEWS)


@dataclass(frozen=True, kw_only=True)
class PublicImages:
    """Images of one folder.

    Attributes:
        examples: The images and what they show.
        patients: Whose each is.
        sources: From which source each is; empty where no table says.
        thumbnails: Of each with all of its margins, from :func:`.copies.thumbnails`.
        left_out: Files (or blank slices) that are not used, by reason.
    """

    examples: list[Example]
    patients: list[str]
    sources: list[str]
    thumbnails: NDArray[np.float32]
    left_out: Mapping[str, int]


class Readable(Protocol):
    """A folder whose table and headers were read."""

    @property
    def fit(self) -> LabelReport | None:
        """How its table fits, if it has one."""

    def read(self, report: Progress) -> PublicImages:
        """Read all images."""


@dataclass(frozen=True, kw_only=True)
class OpenSource:
    """A folder of public images with the table that is used for it.

    Attributes:
        images: The images, not yet read.
        requested_fit: How the table that was asked for fits, whether or not it is the one used;
            ``None`` if none was.
    """

    images: Readable
    requested_fit: LabelReport | None

    @property
    def fit(self) -> LabelReport | None:
        """How the table that is used fits, if there is one."""
        return self.images.fit

    def read(self, report: Progress = no_progress) -> PublicImages:
        """Read all images.

        Raises:
            DataError: If none can be used.
        """
        return self.images.read(report)


class PublicPictures:
    """Pictures with their table."""

    def __init__(self, pictures: LabelledPictures) -> None:
        self._pictures = pictures

    @property
    def fit(self) -> LabelReport:
        """How the table fits."""
        return self._pictures.fit

    def read(self, report: Progress) -> PublicImages:
        """Read the pictures that a table describes and does not hold out."""
        pictures, held_out = self._pictures, 0
        examples: list[Example] = []
        patients: list[str] = []
        sources: list[str] = []
        thumbs: list[NDArray[np.float32]] = []
        for number, picture in enumerate(pictures, start=1):
            report("pictures", number, len(pictures))
            if picture.split is Split.HELD_OUT:
                held_out += 1
                continue
            example = picture.example
            examples.append(_named(example, number) if pictures.evens_out else example)
            # A copy is known by all of it: what is cut out of an image is not found.
            thumbs.append(thumbnails(picture.whole[None]))
            patients.append(picture.patient)
            sources.append(picture.source)
        left_out = +(Counter(pictures.left_out) + Counter({HELD_OUT: held_out}))
        if not examples:
            reasons = ", ".join(f"{count} {reason}" for reason, count in left_out.items())
            raise DataError(
                f"No picture in {pictures.folder} can be used: {reasons or 'there is none'}.",
                hint=f"Name the file of each picture in the column `image` of "
                f"{pictures.table.name}, and what it is in `modality` (CR, CT or MR) and "
                "`body_part`.",
            )
        return PublicImages(
            examples=examples,
            patients=patients,
            sources=sources,
            thumbnails=np.concatenate(thumbs),
            left_out=left_out,
        )


def _named(example: Example, number: int) -> Example:
    """Let a frontal film be heard under each name in turn."""
    description = example.description
    if description.view != FRONTAL:
        return example
    view = _FRONTAL_NAMES[number % len(_FRONTAL_NAMES)]
    return replace(example, description=replace(description, view=view))


class PublicScans:
    """DICOM files, indexed with their table."""

    def __init__(self, folder: Path, index: SiteIndex, settings: DataSettings) -> None:
        self._folder, self._index, self._settings = folder, index, settings

    @property
    def fit(self) -> LabelReport | None:
        """How the table fits, if there is one."""
        return self._index.labels

    def read(self, report: Progress) -> PublicImages:
        """Read the scans of all patients whom no table holds out."""
        left_out = Counter({reason.value: n for reason, n in self._index.set_aside.items()})
        examples: list[Example] = []
        patients: list[str] = []
        for patient_id, example in self._examples(left_out, report):
            examples.append(example)
            patients.append(patient_id)
        if not examples:
            raise DataError(
                f"{self._folder} holds no image that can be trained on.",
                hint=f"`fedscan index {self._folder}` says what is set aside and why.",
            )
        return PublicImages(
            examples=examples,
            patients=patients,
            sources=[""] * len(examples),
            thumbnails=thumbnails(np.stack([example.image for example in examples])),
            left_out=dict(left_out.most_common()),
        )

    def _examples(self, left_out: Counter[str], report: Progress) -> Iterator[tuple[str, Example]]:
        everybody = self._index.patients
        for number, patient in enumerate(everybody, start=1):
            report("patients", number, len(everybody))
            every_series = [series for study in patient.studies for series in study.series]
            if patient.split is Split.HELD_OUT:
                left_out[HELD_OUT] += sum(series.slices for series in every_series)
                continue
            for series in every_series:
                of_series = series_examples(
                    self._folder, series, self._settings, labels=patient.labels
                )
                left_out.update({reason.value: n for reason, n in of_series.set_aside.items()})
                yield from ((patient.patient_id, example) for example in of_series.examples)
