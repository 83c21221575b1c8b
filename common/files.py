"""Files and folders that are whole or absent, whenever the process or the machine dies.

The privacy ledger alone writes for itself (``privacy/ledger/durable.py``): each of its calls that
could be the last before a crash is one that a test can stop at.
"""

from __future__ import annotations

import contextlib
import os
import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

#: Name of the folder that :func:`filling` works in.
_UNFINISHED = ".unfinished"


@contextmanager
def replacing(path: Path) -> Iterator[Path]:
    """Make a file or a folder so that a reader finds the old one or the new, never a part.

    Nothing is forced to disk: after a power failure the new one may be cut short, unless the
    block writes durably and :func:`sync_folder` follows, as in :func:`write_atomically`.

    Args:
        path: Where it belongs. A folder that is there already is removed first, at the end of
            the block, so for a moment there may be none.

    Yields:
        Where the block makes it: beside ``path``, under a hidden name that ends in ``.tmp``. If
        the block fails, it is removed.
    """
    path.parent.mkdir(parents=True, exist_ok=True)
    temporary = path.with_name(f".{path.name}.{os.getpid()}.tmp")
    if temporary.is_dir():  # of a killed process that had the same number
        shutil.rmtree(temporary)
    try:
        yield temporary
        if temporary.is_dir():
            shutil.rmtree(path, ignore_errors=True)
        os.replace(temporary, path)
    except BaseException:
        # On a full disk the attempt would take room itself.
        _remove(temporary)
        raise


@contextmanager
def filling(folder: Path, *, last: str) -> Iterator[Path]:
    """Put several files into a folder that may have others; a failed block puts none there.

    Args:
        folder: Where the files belong; made where it is missing. Files of the same names are
            replaced.
        last: Name of the file that is moved last: where it is, the others are.

    Yields:
        An empty folder to make them in, hidden in ``folder``. At the end of the block they are
        moved, and may be read by whom the umask lets: some libraries
        write files for their owner alone.
    """
    folder.mkdir(parents=True, exist_ok=True)
    temporary = folder / _UNFINISHED
    shutil.rmtree(temporary, ignore_errors=True)  # of a process that was killed
    temporary.mkdir()
    try:
        yield temporary
        mode = temporary.stat().st_mode & 0o666
        for path in sorted(temporary.rglob("*"), key=lambda path: (path.name == last, path)):
            target = folder / path.relative_to(temporary)
            if path.is_dir():
                target.mkdir(exist_ok=True)
            else:
                path.chmod(mode)
                os.replace(path, target)
    finally:
        shutil.rmtree(temporary, ignore_errors=True)


def write_atomically(path: Path, content: bytes) -> None:
    """Write a file so that a reader finds the old content or the new, never a part."""
    with replacing(path) as temporary:
        write_durably(temporary, content)
    sync_folder(path.parent)


def write_once(path: Path, content: bytes) -> None:
    """Write a secret file whole, unless there is one already; only its owner can read it.

    Of several processes at once one wins, and all find its content.
    """
    path.parent.mkdir(parents=True, exist_ok=True)
    temporary = path.with_name(f".{path.name}.{os.getpid()}.tmp")
    try:
        temporary.touch(0o600)
        write_durably(temporary, content)
        with contextlib.suppress(FileExistsError):
            os.link(temporary, path)
    finally:
        temporary.unlink(missing_ok=True)
    sync_folder(path.parent)


def write_durably(path: Path, content: bytes) -> None:
    """Write a file and wait until it is on disk."""
    with path.open("wb") as file:
        file.write(content)
        file.flush()
        os.fsync(file.fileno())


def link_or_copy(source: Path, target: Path) -> None:
    """Let a file be found under a second name too, which stays when the first is replaced.

    The two share their room on disk where the file system can do that.
    """
    with replacing(target) as temporary:
        try:
            os.link(source, temporary)
        except OSError:
            shutil.copyfile(source, temporary)


def sync_folder(folder: Path) -> None:
    """Wait until a folder's entries are on disk: a rename lives in the folder, not the file."""
    descriptor = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


def _remove(path: Path) -> None:
    if path.is_dir():
        shutil.rmtree(path, ignore_errors=True)
    else:
        path.unlink(missing_ok=True)
