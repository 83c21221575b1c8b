"""One process, and one ledger object in it, at a time."""

from __future__ import annotations

import fcntl
import os
import time
from pathlib import Path

from ..errors import LedgerError

_POLL_SECONDS = 0.02


class FolderLock:
    """An exclusive lock on a folder, held until :meth:`release` or the process ends.

    The lock belongs to the open file (``flock``), so it excludes other processes and other
    threads of this one alike, and the kernel drops it when the holder dies, however it dies.
    The process id in the file is there for the error message only.

    Args:
        path: The lock file; it is created and stays.
        timeout: Seconds to wait for another holder.

    Raises:
        LedgerError: If another holder keeps the lock for longer than that.
    """

    def __init__(self, path: Path, timeout: float) -> None:
        self._descriptor = os.open(path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
        deadline = time.monotonic() + timeout
        while True:
            try:
                fcntl.flock(self._descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
                break
            except BlockingIOError:
                if time.monotonic() >= deadline:
                    holder = os.pread(self._descriptor, 32, 0).decode("ascii", "replace").strip()
                    os.close(self._descriptor)
                    raise LedgerError(
                        f"The ledger is locked by process {holder or 'unknown'} "
                        f"(waited {timeout:g} s).",
                        hint="One process at a time may spend a data set's budget: let that one "
                        "finish or stop it.",
                    ) from None
                time.sleep(_POLL_SECONDS)
        os.ftruncate(self._descriptor, 0)
        os.pwrite(self._descriptor, f"{os.getpid()}\n".encode(), 0)

    def release(self) -> None:
        """Let the next holder in."""
        os.close(self._descriptor)
