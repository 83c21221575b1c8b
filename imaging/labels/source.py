"""What any source of labels has to tell, whatever it is read from.

A table is the one source that there is. A FHIR server or structured reports would be others: each
needs nothing but the two protocols here.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import StrEnum
from typing import Any, Protocol


class Split(StrEnum):
    """Which side of a study a patient is on."""

    TRAIN = "train"
    HELD_OUT = "held out"


@dataclass(frozen=True, slots=True)
class ImageKeys:
    """What one file may be named by. Nothing of it leaves the site.

    Attributes:
        path: Path relative to the site's folder.
        image: SOP Instance UID.
        series: Series Instance UID.
        study: Study Instance UID.
        accession: Accession number.
        patient: Patient identifier, as :func:`~..dicom.files.patient.normal_identifier` writes it.
    """

    path: str
    image: str = ""
    series: str = ""
    study: str = ""
    accession: str = field(default="", repr=False)
    patient: str = field(default="", repr=False)


@dataclass(frozen=True, slots=True)
class ImageLabel:
    """What a source says of one file.

    Attributes:
        finding: As of a :class:`~fedscan.model.description.Description`; empty if it is not known
            what there is, ``None`` if the source says nothing of findings: the header's then hold.
        findings: As of a description.
        report: Free text, empty if there is none. It is as private as the pixels.
    """

    finding: str | None = None
    findings: tuple[str, ...] = ()
    report: str = field(default="", repr=False)


@dataclass(frozen=True, kw_only=True)
class LabelReport:
    """How a source and a folder fit together, in numbers for the site itself.

    Attributes:
        rows: Rows of the table.
        matched: Rows that name an image of the folder, and were used.
        by: The kind of name that rows are matched by.
        unmatched: Rows that were not used, by reason.
        images: Files that have a row.
        images_without: Files that have none: what their headers say holds.
        train: Patients whom the table wants trained on.
        held_out: Patients whom it holds out.
        reports: Files with a text.
        conflicts: What contradicts itself, by kind: files, or patients for splits.
        unknown_columns: Columns without a meaning here.
        unknown_words: Rows by the label that is no word of the vocabulary. Texts that are long or
            rare are counted together: they may name somebody.
        other_names: Files that would have a row if rows were matched by another kind of name.
    """

    rows: int
    matched: int
    by: str
    unmatched: Mapping[str, int]
    images: int
    images_without: int
    train: int
    held_out: int
    reports: int
    conflicts: Mapping[str, int]
    unknown_columns: tuple[str, ...]
    unknown_words: Mapping[str, int]
    other_names: Mapping[str, int]

    @classmethod
    def from_plain(cls, values: Mapping[str, Any]) -> LabelReport:
        """Read what ``dataclasses.asdict`` made and JSON kept."""
        return cls(**{**values, "unknown_columns": tuple(values["unknown_columns"])})


class Labelling(Protocol):
    """One pass over a folder's files with a source beside it."""

    def label(self, keys: ImageKeys) -> ImageLabel | None:
        """Return what the source says of a file, ``None`` if nothing.

        It may depend on that file's own names and on the source alone, and on no other file: who
        else is in the folder must not change how a patient is trained on.
        """

    def split(self, patient: str) -> Split | None:
        """Return the side of a patient, all of whose files were asked for; ``None`` if it is open.

        Args:
            patient: As in the keys of the files.
        """

    def report(self) -> LabelReport:
        """Return how source and files fit together."""


class LabelSource(Protocol):
    """Where labels come from."""

    @property
    def digest(self) -> str:
        """Changes whenever anything that the source says may have changed."""

    def begin(self) -> Labelling:
        """Begin a pass over a folder."""
