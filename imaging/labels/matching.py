"""Which rows of a table are about which file, and what they say of it together."""

from __future__ import annotations

import re
from collections import Counter, defaultdict
from collections.abc import Sequence
from pathlib import PurePosixPath

from ...model.description import Description
from ...model.words.vocabulary import NO_FINDING, Vocabulary
from ..dicom.files.patient import normal_identifier
from .cells import Truth
from .columns import Columns, Key
from .rows import Row
from .source import ImageKeys, ImageLabel, LabelReport, Split

_UID = re.compile(r"\d+(\.\d+){3,}")
_SUFFIX = re.compile(r"\.(dcm|dicom|png|jpe?g|tiff?|bmp|nii|gz)$", re.IGNORECASE)
#: A label that is no word is shown if it is short and so many rows have it: else it may be a note
#: on somebody.
_SHOWN_WORDS, _SHOWN_LENGTH = 3, 40
_NO_CONFLICT = ""
#: Findings are put together as a description does it; the rest of this one is not looked at.
_UNKNOWN = Description(modality="MR")


class TableLabelling:
    """One pass over a folder's files with a table beside it.

    A file's label depends on its own names and on the table alone. A row that fits files of
    several patients, as ``1.png`` may, is used for each of them, unless it names its patient.
    """

    def __init__(
        self,
        rows: Sequence[Row],
        columns: Columns,
        by: Key,
        vocabulary: Vocabulary,
        unknown_words: Counter[str],
    ) -> None:
        self._table, self._columns, self._by = rows, columns, by
        self._vocabulary, self._unknown_words = vocabulary, unknown_words
        self._rows_of: dict[Key, dict[str, list[int]]] = {key: defaultdict(list) for key in Key}
        for number, row in enumerate(rows):
            for key, name in row.names.items():
                self._rows_of[key][_row_name(key, name)].append(number)
        self._used_rows: set[int] = set()
        self._of_another: set[int] = set()
        self._sides: dict[str, set[Split]] = defaultdict(set)
        self._files: Counter[str] = Counter()
        self._conflicts: Counter[str] = Counter()
        self._other_names: Counter[str] = Counter()
        self._labels_of_rows: dict[tuple[int, ...], tuple[ImageLabel, str]] = {}

    def label(self, keys: ImageKeys) -> ImageLabel | None:
        """Return what the table says of a file, ``None`` if no row is about it."""
        numbers = self.rows_about(keys)
        self._files["all"] += 1
        for key in self._columns.keys:
            self._other_names[key.value] += bool(self._fitting(key, keys))
        if not numbers:
            return None
        self._files["labelled"] += 1
        self._used_rows.update(numbers)
        rows = [self._table[number] for number in numbers]
        self._sides[keys.patient].update(row.split for row in rows if row.split is not None)
        if tuple(numbers) not in self._labels_of_rows:
            self._labels_of_rows[tuple(numbers)] = self._together(rows)
        label, conflict = self._labels_of_rows[tuple(numbers)]
        self._conflicts[conflict] += 1
        self._files["report"] += bool(label.report)
        return label

    def patient_of(self, keys: ImageKeys) -> str:
        """Return the patient whom rows about a file name, for files that do not say it themselves.

        Empty if no row does, or rows name several.
        """
        fitting = (self._table[number] for number in self._fitting(self._by, keys))
        names = {normal_identifier(row.names.get(Key.PATIENT, "")) for row in fitting}
        return names.pop() if len(names) == 1 else ""

    def split(self, patient: str) -> Split | None:
        """Return the side of a patient; held out if rows disagree, which trains on nobody."""
        sides = self._sides.get(patient, set())
        return max(sides, key=list(Split).index) if sides else None

    def report(self) -> LabelReport:
        """Return how table and files fit together."""
        rows, by = self._table, self._by
        nameless = sum(by not in row.names for row in rows)
        of_another = len(self._of_another - self._used_rows)
        reasons = {
            "names nothing": nameless,
            "is of another patient than the image it names": of_another,
            "names what is not here": len(rows) - len(self._used_rows) - nameless - of_another,
        }
        sides = [self.split(patient) for patient in self._sides]
        in_both = sum(len(of_patient) > 1 for of_patient in self._sides.values())
        conflicts = {**self._conflicts, _NO_CONFLICT: 0, "patients in both splits": in_both}
        return LabelReport(
            rows=len(rows),
            matched=len(self._used_rows),
            by=by.value,
            unmatched={reason: count for reason, count in reasons.items() if count},
            images=self._files["labelled"],
            images_without=self._files["all"] - self._files["labelled"],
            train=sides.count(Split.TRAIN),
            held_out=sides.count(Split.HELD_OUT),
            reports=self._files["report"],
            conflicts={kind: count for kind, count in conflicts.items() if count},
            unknown_columns=self._columns.other_names,
            unknown_words=shown_words(self._unknown_words),
            other_names={
                key: count for key, count in self._other_names.items() if count and key != by.value
            },
        )

    def rows_about(self, keys: ImageKeys) -> list[int]:
        """Return the numbers of the rows about a file, from 0.

        One that names another patient than the file's is none.
        """
        about = []
        for number in self._fitting(self._by, keys):
            patient = self._table[number].names.get(Key.PATIENT, "")
            if patient and normal_identifier(patient) != keys.patient:
                self._of_another.add(number)
            else:
                about.append(number)
        return about

    def _fitting(self, key: Key, keys: ImageKeys) -> list[int]:
        """Return the rows whose name of a kind is a name of the file, in the table's order."""
        index = self._rows_of[key]
        if key is Key.IMAGE:
            path = _components(keys.path)
            by_name = (
                number
                for number in index.get(path[-1], ())
                if _ends_alike(path, _components(self._table[number].names[key]))
            )
            return sorted({*index.get(keys.image, ()), *by_name} if keys.image else set(by_name))
        name = getattr(keys, key.value)
        return index.get(_row_name(key, name), []) if name else []

    def _together(self, rows: Sequence[Row]) -> tuple[ImageLabel, str]:
        """Return what rows say of a file, and how they contradict each other."""
        reports = "\n".join(dict.fromkeys(row.report for row in rows if row.report))
        if not self._columns.tell_findings:
            return ImageLabel(report=reports), _NO_CONFLICT
        findings, conflict = _findings(rows)
        vocabulary = self._vocabulary
        words = [word for text in findings if (word := vocabulary.find(text)) is not None]
        description = vocabulary.with_findings(_UNKNOWN, words)
        return ImageLabel(description.finding, description.findings, reports), conflict


def _findings(rows: Sequence[Row]) -> tuple[tuple[str, ...], str]:
    """Return the findings that rows agree on; uncertain ones are neither there nor not."""
    truths_of: dict[str, set[Truth]] = defaultdict(set)
    for row in rows:
        for word, truth in row.truths.items():
            truths_of[word].add(truth)
    contradictions = {
        word for word, truths in truths_of.items() if {Truth.PRESENT, Truth.ABSENT} <= truths
    }
    conflict = (
        "images with a finding that is there and not there" if contradictions else _NO_CONFLICT
    )
    uncertain = contradictions | {
        word for word, truths in truths_of.items() if Truth.UNCERTAIN in truths
    }
    present = {word for word, truths in truths_of.items() if Truth.PRESENT in truths} - uncertain
    if NO_FINDING in present:
        if present != {NO_FINDING}:
            return (), "images with a finding and with none"
        return (() if uncertain else (NO_FINDING,)), conflict
    if present:
        return tuple(sorted(present)), conflict
    # Every finding of the table is denied, and it has no word for "none" that would say so itself.
    is_denied = bool(truths_of) and not uncertain and all(row.complete for row in rows)
    return ((NO_FINDING,) if is_denied and NO_FINDING not in truths_of else ()), conflict


def _row_name(key: Key, name: str) -> str:
    if key is Key.PATIENT:
        return normal_identifier(name)
    if key is not Key.IMAGE or _UID.fullmatch(name):
        return name.strip()
    return _components(name)[-1]


def _components(path: str) -> tuple[str, ...]:
    """Return the parts of a path, the last without its suffix: 007 and 7 are the same number."""
    parts = PurePosixPath(path.strip().casefold().replace("\\", "/")).parts or ("",)
    stem = parts[-1]
    while (shorter := _SUFFIX.sub("", stem)) != stem:
        stem = shorter
    return (*parts[:-1], stem.lstrip("0") or "0" if stem.isdecimal() else stem)


def _ends_alike(one: Sequence[str], other: Sequence[str]) -> bool:
    """Whether the shorter of two paths is the end of the longer."""
    return all(a == b for a, b in zip(reversed(one), reversed(other), strict=False))


def shown_words(words: Counter[str]) -> dict[str, int]:
    """Return how often each of some labels is there; those that may be notes are counted together.

    Args:
        words: Labels that are no word of the vocabulary.
    """
    frequent = {
        word: count
        for word, count in words.most_common()
        if count >= _SHOWN_WORDS and len(word) <= _SHOWN_LENGTH
    }
    rest = words.total() - sum(frequent.values())
    return {**frequent, **({"(rare or long labels)": rest} if rest else {})}
