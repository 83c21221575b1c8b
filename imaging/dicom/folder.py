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

    Linked folders are read like others, each real folder once: links may go in a circle. What
    cannot be looked into (a dangling link, a folder without permission) is listed as an empty
    file, so that it is counted as unreadable later and not passed over.

    Raises:
        DataError: If the folder does not exist.
    """
    if not folder.is_dir():
        raise DataError("The scan folder does not exist.", hint="Give a folder of DICOM files.")
    entries: list[FileEntry] = []
    folder_ids: set[tuple[int, int]] = set()
    folders = [""]
    links: list[str] = []
    while folders or links:
        # Links come last: a folder that lies here itself is known by its own path.
        inner = folders.pop() if folders else links.pop(links.index(min(links)))
        try:
            status = os.stat(folder / inner)
            if (status.st_dev, status.st_ino) in folder_ids:
                continue
            folder_ids.add((status.st_dev, status.st_ino))
            with os.scandir(folder / inner) as children:
                for child in children:
                    path = os.path.join(inner, child.name)
                    if not _is_folder(child):
                        entries.append(_file_entry(child, path))
                    elif child.is_symlink():
                        links.append(path)
                    else:
                        folders.append(path)
        except OSError:
            entries.append(FileEntry(inner or ".", 0, 0))
    return tuple(sorted(entries, key=lambda entry: entry.path))


def _is_folder(child: os.DirEntry[str]) -> bool:
    try:
        return child.is_dir()
    except OSError:  # a link that leads to itself
        return False


def _file_entry(child: os.DirEntry[str], path: str) -> FileEntry:
    try:
        status = child.stat()
    except OSError:  # a dangling link
        return FileEntry(path, 0, 0)
    return FileEntry(path, status.st_size, status.st_mtime_ns, status.st_ctime_ns)


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
