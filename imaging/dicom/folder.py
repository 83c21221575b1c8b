"""The files of a folder, and digests of them by which caches know what changed."""

from __future__ import annotations

import hashlib
import os
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path

from ...errors import DataError


@dataclass(frozen=True, slots=True)
class FileEntry:
    """A file as the disk knows it: path relative to the folder, size and two times.

    Attributes:
        path: Relative to the folder.
        size: In bytes.
        changed_ns: When its content was changed, as programs may set it (``mtime``).
        touched_ns: When the disk last changed anything of it, which no program can set (``ctime``).
    """

    path: str
    size: int
    changed_ns: int
    touched_ns: int = 0


def list_files(folder: Path) -> tuple[FileEntry, ...]:
    """List all files below a folder, in the order of their paths.

    Raises:
        DataError: If the folder does not exist.
    """
    if not folder.is_dir():
        raise DataError("The scan folder does not exist.", hint="Give a folder of DICOM files.")
    entries = []
    for parent, _, names in os.walk(folder):
        for name in names:
            path = os.path.join(parent, name)
            try:
                status = os.stat(path)
                size, changed = status.st_size, status.st_mtime_ns
                touched = status.st_ctime_ns
            except OSError:  # a dangling link is still listed, and set aside by reason later
                size, changed, touched = 0, 0, 0
            entries.append(FileEntry(os.path.relpath(path, folder), size, changed, touched))
    return tuple(sorted(entries, key=lambda entry: entry.path))


def digest_of(entries: Iterable[FileEntry], *salts: str) -> str:
    """Hash a list of files (and anything else that decides what is made of them)."""
    digest = hashlib.sha256()
    for salt in salts:
        digest.update(salt.encode() + b"\0")
    for entry in entries:
        digest.update(f"{entry.path}\0{entry.size}\0{entry.changed_ns}\n".encode(errors="replace"))
    return digest.hexdigest()


def touches_of(entries: Iterable[FileEntry]) -> str:
    """Hash when the disk last changed each file: other pixels of equal size and time show here."""
    digest = hashlib.sha256()
    for entry in entries:
        digest.update(f"{entry.path}\0{entry.touched_ns}\n".encode(errors="replace"))
    return digest.hexdigest()
