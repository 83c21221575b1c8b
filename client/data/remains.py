"""What is kept of single patients beside their scans: finding it, and removing it.

Whatever is made of one patient (decoded images and latents, of every setting and every study) is a
file whose name holds the patient's opaque key; lists of patients name them by the same key.
"""

from __future__ import annotations

import json
import mmap
import re
import shutil
from collections.abc import Collection, Iterator
from pathlib import Path
from typing import Any

from ...common.files import write_atomically
from ...common.progress import Progress, no_progress
from ...imaging.dicom.files.patient import patient_of
from ...imaging.dicom.folder import list_files
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
        How many files were removed, or lost a patient's line.
    """
    count = 0
    for path in list(_kept_files(state)):
        if _key_of(path) in keys:
            path.unlink(missing_ok=True)
            count += 1
        elif path.suffix == ".json" and names_any(path, keys):
            count += _remove_lines(path, keys)
    return count


def forget_headers(state: Path, current: str = "") -> int:
    """Remove what is remembered of headers, which are read anew; return how many files that was.

    Args:
        state: The data set's folder.
        current: Name of a folder that stays, if any: what was read under today's opt-out list.
    """
    folders = [path for path in (state / "cache").glob("headers*") if path.name != current]
    files = [path for folder in folders for path in folder.iterdir()]
    for folder in folders:
        shutil.rmtree(folder)
    return len(files)


def _remove_lines(path: Path, keys: Collection[str]) -> bool:
    """Take patients out of a list, such as that of a cache or of a study; whether it had any."""
    try:
        content = json.loads(path.read_text(encoding="utf-8"))
    except ValueError:  # cut short by a crash: whoever reads it makes it anew
        path.unlink()
        return True
    rest = _without(content, keys)
    write_atomically(path, json.dumps(rest).encode())
    return bool(rest != content)


def _without(content: Any, keys: Collection[str]) -> Any:
    if isinstance(content, dict):
        return {name: _without(value, keys) for name, value in content.items()}
    if isinstance(content, list):
        return [
            _without(one, keys)
            for one in content
            if not (isinstance(one, dict) and one.get("key") in keys)
        ]
    return content


def remove_absent(state: Path, folder: Path, report: Progress = no_progress) -> tuple[int, int]:
    """Remove what is kept of patients whose scans are gone, under whatever settings it was made.

    Args:
        state: The data set's folder.
        folder: Its scans; every header is read.
        report: Told how many files are read.

    Returns:
        How many patients, and how many files of theirs.
    """
    keys = {key for path in _kept_files(state) if (key := _key_of(path))}
    if not keys or not (state / FILE_NAME).is_file():
        return 0, 0
    identity = DatasetIdentity.load_or_create(state)
    present = {identity.patient_key(patient) for patient in patients_in(folder, report)}
    absent = keys - present
    if not absent:
        return 0, 0
    return len(absent), remove_patients(state, absent) + forget_headers(state)


def patients_in(folder: Path, report: Progress = no_progress) -> dict[str, int]:
    """Count a folder's DICOM files by patient identifier, whatever they hold."""
    counts: dict[str, int] = {}
    files = list_files(folder)
    with quiet_pydicom():
        for number, entry in enumerate(files, start=1):
            if patient := patient_of(folder / entry.path):
                counts[patient] = counts.get(patient, 0) + 1
            report("files", number, len(files))
    return counts


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
    match = _KEY.match(path.name)
    return match[1] if match else ""
