"""A study's patients and their images, fixed when the study begins at a site.

What is new, or has other pixels, waits for the next study. A patient whose scans are gone leaves
every study at once: that is what a withdrawn consent looks like from here.
"""

from __future__ import annotations

import json
import logging
from dataclasses import asdict, dataclass, replace
from pathlib import Path

from ...common.files import link_or_copy, write_once
from ...errors import DataError
from .dataset import SiteDataset
from .example_cache import CachedPatient
from .example_origin import patient_path
from .patient_file import PatientFile

_log = logging.getLogger(__name__)


@dataclass(frozen=True)
class FixedPatient:
    """A training patient of a study.

    Attributes:
        key: Opaque key of the patient, by which the line is found when a patient opts out.
        content: Digest of the patient's examples when the study began.
    """

    key: str
    content: str


def fix_patients(dataset: SiteDataset, roster: Path, folder: Path) -> SiteDataset:
    """Return a data set with just the training patients that a study began with.

    Args:
        dataset: The site's scans as they are today.
        roster: The study's list of patients, which is made now if the study begins; must last.
        folder: For what is made of the patients' images as they were; their examples are in
            ``examples``. It belongs to a cache: without it the patients whose scans have been
            changed since leave the study.

    Raises:
        DataError: If the list is damaged.
    """
    if not roster.exists():
        trained_on = set(dataset.train_patients)
        began = [
            FixedPatient(one.key, one.content)
            for one in dataset.cached_patients
            if one.key in trained_on
        ]
        write_once(roster, json.dumps([asdict(one) for one in began]).encode())
    began_with = {one.key: one.content for one in _read(roster)}
    examples = folder / "examples"
    present = [
        _taken_up(one, began_with[one.key], dataset, examples)
        for one in dataset.cached_patients
        if one.key in began_with
    ]
    patients = tuple(one for one in present if one is not None)
    if missing := len(began_with) - len(patients):
        _log.warning("%d patients of the study's beginning are not in it any more.", missing)
    _remove_others(folder, {one.key for one in patients})
    return dataset.of(examples, patients)


def patients_at_beginning(roster: Path) -> int | None:
    """Return how many patients a study began with; ``None`` if it has not begun.

    Raises:
        DataError: If the list is damaged.
    """
    return len(_read(roster)) if roster.exists() else None


def patients_trained_on(roster: Path) -> frozenset[str]:
    """Return the keys of the patients that a study began with; nobody if it has not begun.

    Raises:
        DataError: If the list is damaged.
    """
    return frozenset(one.key for one in _read(roster)) if roster.exists() else frozenset()


def _read(roster: Path) -> list[FixedPatient]:
    try:
        entries = [FixedPatient(**one) for one in json.loads(roster.read_text(encoding="utf-8"))]
        if all(one.key and len(one.content) == 64 for one in entries):
            return entries
    except (ValueError, TypeError):
        pass
    raise DataError(
        f"The study's list of patients {roster.name} is damaged.",
        hint="Restore it from a backup, or remove it: the study then goes on with the patients "
        "and images of today.",
    )


def _taken_up(
    today: CachedPatient, content: str, dataset: SiteDataset, folder: Path
) -> CachedPatient | None:
    """Return a patient as the study began with it; ``None`` if those images are gone."""
    path = patient_path(folder, today.key)
    if _content(path) != content:
        if today.content != content:
            return None
        link_or_copy(dataset.patient(today.key).path, path)
    file = PatientFile.read(path)
    return replace(today, examples=len(file), size=path.stat().st_size, content=content)


def _content(path: Path) -> str:
    try:
        return PatientFile.read(path).content
    except DataError:
        return ""


def _remove_others(folder: Path, keys: set[str]) -> None:
    """Remove what was made of the images of patients who have left."""
    for path in folder.rglob("*.safetensors"):
        if path.stem not in keys:
            path.unlink(missing_ok=True)
