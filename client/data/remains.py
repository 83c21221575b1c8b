"""What is kept of single patients beside their scans: finding it, and removing it.

Whatever is made of one patient (decoded images and latents, of every setting and every study) is a
file whose name holds the patient's opaque key; lists of patients name them by the same key.
"""

from __future__ import annotations

import mmap
import re
from collections.abc import Collection, Iterator
from pathlib import Path

from ...common.progress import Progress, no_progress
from ...imaging.dicom.folder import list_files
from ...imaging.dicom.patient import patient_of
from ...imaging.dicom.quiet import quiet_pydicom
from .identity import FILE_NAME, DatasetIdentity

#: A patient's key, which begins the name of each file that is made of one patient.
_KEY = re.compile(r"^\.?([0-9a-f]{32})\.")
#: Scans are looked at by their headers, and the ledger and identity hold no patient.
_ELSEWHERE = frozenset({"mirror", "ledger", FILE_NAME})


def remove_patients(state: Path, keys: Collection[str]) -> int:
    """Remove all that is kept of some patients in a data set's folder.

    Args:
        state: The data set's folder.
        keys: The patients' keys.

    Returns:
        How many files were removed. Lists that named them count: they are made anew.
    """
    removed = 0
    for path in list(_kept_files(state)):
        named = _KEY.match(path.name)
        if (named and named[1] in keys) or (not named and names_any(path, keys)):
            path.unlink(missing_ok=True)
            removed += 1
    return removed


def remove_absent(state: Path, folder: Path, report: Progress = no_progress) -> tuple[int, int]:
    """Remove what is kept of patients whose scans are gone, under whatever settings it was made.

    Args:
        state: The data set's folder.
        folder: Its scans; every header is read.
        report: Told how many files are read.

    Returns:
        How many patients, and how many files of theirs.
    """
    stored = {key for path in _kept_files(state) if (key := _key_of(path))}
    if not stored or not (state / FILE_NAME).is_file():
        return 0, 0
    identity = DatasetIdentity.load_or_create(state)
    present = {identity.patient_key(patient) for patient in patients_in(folder, report)}
    gone = stored - present
    return len(gone), remove_patients(state, gone) if gone else 0


def patients_in(folder: Path, report: Progress = no_progress) -> dict[str, int]:
    """Count a folder's DICOM files by patient identifier, whatever they hold."""
    found: dict[str, int] = {}
    files = list_files(folder)
    with quiet_pydicom():
        for done, entry in enumerate(files, start=1):
            if patient := patient_of(folder / entry.path):
                found[patient] = found.get(patient, 0) + 1
            report("files", done, len(files))
    return found


def files_with(folder: Path, words: Collection[str]) -> Iterator[Path]:
    """Yield the files below a folder whose name or content holds one of some words."""
    for path in sorted(folder.rglob("*")):
        if path.is_file() and (any(word in path.name for word in words) or names_any(path, words)):
            yield path


def names_any(path: Path, words: Collection[str]) -> bool:
    """Whether a file's bytes hold one of some words; a file that is gone does not."""
    try:
        with path.open("rb") as file, mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_READ) as text:
            return any(text.find(word.encode()) >= 0 for word in words)
    except (OSError, ValueError):  # gone meanwhile, or empty
        return False


def _kept_files(state: Path) -> Iterator[Path]:
    for path in state.rglob("*"):
        if path.is_file() and path.relative_to(state).parts[0] not in _ELSEWHERE:
            yield path


def _key_of(path: Path) -> str:
    found = _KEY.match(path.name)
    return found[1] if found else ""
