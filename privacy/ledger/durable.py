"""Writes that are on the disk when they return, or that raise ``OSError``.

Every step that could be the last before a crash is one call of ``os`` made here, so that a
test can stop the process at each of them in turn.
"""

from __future__ import annotations

import os
from pathlib import Path

from ...common.files import sync_folder

#: Mode of files that anyone in the site's group may read, and of those only the owner may.
SHARED, PRIVATE = 0o640, 0o600


def write_all(descriptor: int, data: bytes) -> None:
    """Write all of ``data``; a single ``os.write`` may stop short."""
    remaining = memoryview(data)
    while remaining:
        remaining = remaining[os.write(descriptor, remaining) :]


def create_file(path: Path, data: bytes, mode: int) -> None:
    """Create a file that must not exist yet, with its content and name durable."""
    _write(path, data, mode, os.O_EXCL)
    sync_folder(path.parent)


def replace_file(path: Path, data: bytes, mode: int) -> None:
    """Give a file new content durably; a reader sees the old or the new, never a mixture."""
    draft = path.with_name(f"{path.name}.new")
    _write(draft, data, mode, os.O_TRUNC)
    os.replace(draft, path)
    sync_folder(path.parent)


def erase_file(path: Path) -> None:
    """Overwrite a file with zeros, then remove it durably.

    The overwriting reaches the same blocks on ext4 or xfs. A copy-on-write file system, a
    snapshot or the flash controller below may keep the old ones: only an encrypted volume
    whose key is destroyed helps there.
    """
    descriptor = os.open(path, os.O_WRONLY | os.O_CLOEXEC)
    try:
        write_all(descriptor, bytes(os.fstat(descriptor).st_size))
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
    os.unlink(path)
    sync_folder(path.parent)


def make_folder(folder: Path, mode: int) -> None:
    """Create a folder and its missing parents; every new name is durable on return."""
    if folder.is_dir():
        return
    make_folder(folder.parent, 0o777)
    folder.mkdir(mode=mode, exist_ok=True)
    sync_folder(folder.parent)


def _write(path: Path, data: bytes, mode: int, how: int) -> None:
    flags = os.O_WRONLY | os.O_CREAT | os.O_CLOEXEC | os.O_NOFOLLOW | how
    descriptor = os.open(path, flags, mode)
    try:
        write_all(descriptor, data)
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
