"""One DICOM instance of a mirror: where its file lies, and how the file gets there whole."""

from __future__ import annotations

import hashlib
import os
import tempfile
from dataclasses import dataclass
from pathlib import Path

from pydicom import dcmread

from ...common.files import sync_folder
from ...imaging.dicom.quiet import quiet_pydicom

_UIDS = ("StudyInstanceUID", "SeriesInstanceUID", "SOPInstanceUID")


@dataclass(frozen=True, order=True)
class Instance:
    """One DICOM instance by its three UIDs."""

    study: str
    series: str
    uid: str

    @property
    def path(self) -> Path:
        """Where it lies in a folder of instances.

        Names are digests of the UIDs: a name says nothing about a patient, and no UID from
        outside becomes a path.
        """
        study, series, uid = (
            hashlib.sha256(text.encode()).hexdigest()
            for text in (self.study, self.series, self.uid)
        )
        return Path(study[:16], series[:16], f"{uid[:32]}.dcm")


def instance_of(file: Path) -> Instance | None:
    """Read the UIDs of a DICOM file; ``None`` if it is none or lacks one."""
    with quiet_pydicom():
        try:
            ds = dcmread(file, stop_before_pixels=True, specific_tags=list(_UIDS))
            uids = [str(ds.get(keyword, "")) for keyword in _UIDS]
        except Exception:  # pydicom raises nearly any type on damaged bytes
            return None
    return Instance(*uids) if all(uids) else None


def new_file(folder: Path) -> Path:
    """Return the path of a new, empty file that only this user may read."""
    descriptor, name = tempfile.mkstemp(dir=folder, suffix=".part")
    os.close(descriptor)
    return Path(name)


def place(file: Path, folder: Path, instance: Instance) -> bool:
    """Move a finished file to its place on the same disk, atomically.

    An equal file that is there already stays, with its time: nothing has changed for the index.

    Returns:
        Whether there was nothing, or something else.
    """
    target = folder / instance.path
    if target.is_file() and _equal(file, target):
        file.unlink()
        return False
    target.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
    with file.open("rb") as stream:
        os.fsync(stream.fileno())
    os.replace(file, target)
    sync_folder(target.parent)
    return True


def _equal(one: Path, other: Path) -> bool:
    if one.stat().st_size != other.stat().st_size:
        return False
    with one.open("rb") as first, other.open("rb") as second:
        digests = [hashlib.file_digest(file, "sha256").digest() for file in (first, second)]
    return digests[0] == digests[1]
