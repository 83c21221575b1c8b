"""What the columns of a table of labels mean, by their names."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from enum import StrEnum
from pathlib import Path

from ...errors import DataError
from .cells import FindWord, is_number


class Key(StrEnum):
    """What a row names, the most exact first."""

    IMAGE = "image"
    SERIES = "series"
    STUDY = "study"
    ACCESSION = "accession"
    PATIENT = "patient"


#: Names of columns, in small letters and without anything but letters and digits.
_KEYS = {
    Key.IMAGE: "image imageid imageindex imagename imagepath imagefile path file filename filepath"
    " dicom dicomid sopuid sopinstanceuid instanceuid",
    Key.SERIES: "series seriesid seriesuid seriesinstanceuid",
    Key.STUDY: "study studyid studyuid studyinstanceuid",
    Key.ACCESSION: "accession accessionnumber accessionno",
    Key.PATIENT: "patient patientid subject subjectid mrn",
}
_SPLIT = "split subset partition datasplit"
_REPORT = "report reporttext text freetext impression"
_LABELS = (
    "finding findings findinglabel findinglabels label labels diagnosis diagnoses disease pathology"
    " class classname code codes findingcode findingcodes icd icd10 snomed snomedct radlex"
)

#: Short names of columns in tables of spines. In a table of heads "herniation" is not of a disc, so
#: they count only where the table is about spines by the name of some column.
_OF_SPINES = {
    "herniation": "disc herniation",
    "modic": "disc degeneration",
    "stenosis": "spinal stenosis",
}
_TELLS_OF_SPINES = re.compile("modic|pfirrmann|spondylo|disc|disk|lumbar|vertebra")


@dataclass(frozen=True, kw_only=True)
class Columns:
    """The columns of one table, by number.

    Attributes:
        keys: What rows name.
        split: Train or held out, if there is such a column.
        report: Free text, if there is such a column.
        labels: Findings as words or codes.
        numbers: Findings by a column each, as 1, 0, -1 or empty: word by column.
        other_names: Names of all other columns.
    """

    keys: Mapping[Key, int]
    split: int | None
    report: int | None
    labels: tuple[int, ...]
    numbers: Mapping[int, str]
    other_names: tuple[str, ...]

    @property
    def tell_findings(self) -> bool:
        """Whether there is any column of findings."""
        return bool(self.labels or self.numbers)


def read_columns(
    path: Path, names: Sequence[str], rows: Sequence[Sequence[str]], find: FindWord
) -> Columns:
    """Find out what columns mean.

    Args:
        path: The table, for errors.
        names: Names of the columns.
        rows: All cells: a finding's column is one whose cells are numbers throughout.
        find: The vocabulary.

    Raises:
        DataError: If two columns mean the same, or none says which image, series, study or
            patient a row is about.
    """
    plain = plain_names(names)

    def one(what: str, names_of_key: str) -> int | None:
        places = [number for number, name in enumerate(plain) if name in names_of_key.split()]
        if len(places) > 1:
            both = " and ".join(repr(names[number]) for number in places[:2])
            raise DataError(
                f"The columns {both} of {path.name} both say {what}.", hint="Keep one of them."
            )
        return places[0] if places else None

    keys = {key: number for key in Key if (number := one(f"which {key}", _KEYS[key])) is not None}
    if not keys:
        raise DataError(
            f"No column of {path.name} says which image, series, study or patient a row is about.",
            hint="Name one `patient`, `accession`, `study`, `series` or `image` on its first line.",
        )
    split, report = one("the split", _SPLIT), one("the report", _REPORT)
    labels = tuple(number for number, name in enumerate(plain) if name in _LABELS.split())
    with_meaning = {*keys.values(), *labels, *(n for n in (split, report) if n is not None)}
    numbers = {}
    of_spines = any(_TELLS_OF_SPINES.search(name) for name in plain)
    for number, name in enumerate(names):
        text = _spaced(name)
        word = None if number in with_meaning else find(text)
        if word is None and of_spines and number not in with_meaning:
            word = find(_OF_SPINES.get(text.casefold(), ""))
        if word and _all_numbers(row[number] for row in rows):
            numbers[number] = word
    return Columns(
        keys=keys,
        split=split,
        report=report,
        labels=labels,
        numbers=numbers,
        other_names=tuple(
            name for number, name in enumerate(names) if number not in {*with_meaning, *numbers}
        ),
    )


def _spaced(name: str) -> str:
    """Write a column's name as words: ``any_herniation`` and ``PleuralEffusion``, too."""
    text = re.sub(r"(?<=[a-z])(?=[A-Z])|[_.]+", " ", name).strip()
    return re.sub(r"^(?:any|has|is) ", "", text, flags=re.IGNORECASE)


def _all_numbers(cells: Iterable[str]) -> bool:
    return all(map(is_number, cells))


def plain_names(names: Sequence[str]) -> list[str]:
    """Return names of columns in small letters and digits, as tables spell them in many ways."""
    return [re.sub(r"[^a-z0-9]", "", name.casefold()) for name in names]
