"""Locks: one holder at a time, among processes and among the threads of one.

Locks are the library filelock's, set up in one place so that all of them promise the same:

- Two lock objects exclude each other, in two processes or in one: ``flock`` belongs to the open
  file, and each object opens the file itself.
- The kernel drops a lock when its holder dies, however it dies. The library would fall back to
  a file that merely exists where a file system has no ``flock``; that file would outlive its
  holder, so here the fallback is off and the lock fails instead.
- A process that was forked from the holder does not hold the lock: the library closes its copy.
- Whoever took a lock in one thread may give it back in another.
- The holder's process number is in the file, for messages; nothing depends on it.
"""

from __future__ import annotations

import contextlib
import fcntl
import os
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

from filelock import FileLock, Timeout

from ..errors import FedscanError

#: A lock of the library, set up as said above.
Lock = FileLock

#: On Linux whoever may read a file may lock it, and so could keep others from their work.
_MODE = 0o600
_POLL_SECONDS = 0.02


def take_lock(path: Path, wait_s: float, busy: Callable[[str], FedscanError]) -> Lock:
    """Take a lock; its ``release`` gives it back.

    Args:
        path: The lock file; it is created and stays. Its folder must exist.
        wait_s: Seconds to wait for another holder.
        busy: Makes the error for when that was too short, from the holder's process number.

    Raises:
        FedscanError: What ``busy`` makes.
        OSError: If the file cannot be made or the number not be written.
    """
    lock = _lock(path, _note_holder)
    try:
        lock.acquire(timeout=wait_s)
    except Timeout:
        raise busy(_holder_of(path)) from None
    return lock


@contextmanager
def holding(path: Path, wait_s: float, busy: Callable[[str], FedscanError]) -> Iterator[None]:
    """Hold a lock while the block runs; see :func:`take_lock`."""
    lock = take_lock(path, wait_s, busy)
    try:
        yield
    finally:
        lock.release()


def in_turn(path: Path) -> Lock:
    """Return a lock whose ``with`` block waits for its turn, however long that takes.

    Nobody is told who holds it, so nothing is written and a full disk does not matter.
    """
    return _lock(path)


def is_locked(path: Path) -> bool:
    """Return whether somebody holds a lock; takes it for a moment to find out."""
    if not path.exists():
        return False
    lock = _lock(path)
    try:
        lock.acquire(timeout=0)
    except Timeout:
        return True
    lock.release()
    return False


@contextmanager
def locked_file(descriptor: int, *, shared: bool = False) -> Iterator[None]:
    """Lock an open file itself, for files whose readers may not write beside them.

    The library's locks are exclusive and need a file of their own that everybody may write. Who
    reads an audit log may only read it, and several may at a time.

    Args:
        descriptor: Of the open file; closing it drops the lock, too.
        shared: Whether others may hold it as well, if shared.
    """
    fcntl.flock(descriptor, fcntl.LOCK_SH if shared else fcntl.LOCK_EX)
    try:
        yield
    finally:
        fcntl.flock(descriptor, fcntl.LOCK_UN)


def _lock(path: Path, on_acquired: Callable[[int], None] | None = None) -> Lock:
    return FileLock(
        path,
        mode=_MODE,
        thread_local=False,
        poll_interval=_POLL_SECONDS,
        fallback_to_soft=False,
        on_acquired=on_acquired,
    )


def _note_holder(descriptor: int) -> None:
    os.ftruncate(descriptor, 0)
    os.pwrite(descriptor, f"{os.getpid()}\n".encode(), 0)


def _holder_of(path: Path) -> str:
    """Return the process number that a lock's holder noted, or "unknown"."""
    with contextlib.suppress(OSError, ValueError):
        return str(int(path.read_text("ascii")))
    return "unknown"
