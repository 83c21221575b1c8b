"""A service is one process per folder, which other processes can see and stop."""

from __future__ import annotations

import os
import signal
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from ...common.files import write_atomically
from ...common.locks import holding, is_locked
from ...errors import FederationError

_LOCK = "lock"
_PID = "pid"


@contextmanager
def running_in(folder: Path, what: str) -> Iterator[None]:
    """Be the only service of a folder.

    The lock is the operating system's: it is free the moment its holder dies, so a leftover
    file never keeps a service from starting.

    Args:
        folder: Folder for the lock and the process's number.
        what: The service, for the error.

    Raises:
        FederationError: If it is running already.
    """
    folder.mkdir(parents=True, exist_ok=True)

    def busy(holder: str) -> FederationError:
        return FederationError(f"{what} is running already.", hint=f"It is process {holder}.")

    # Not at once: is_running() holds it for a moment.
    with holding(folder / _LOCK, 1, busy):
        try:
            write_atomically(folder / _PID, f"{os.getpid()}\n".encode())
            yield
        finally:
            (folder / _PID).unlink(missing_ok=True)


def is_running(folder: Path) -> bool:
    """Return whether a service holds the folder."""
    return is_locked(folder / _LOCK)


def stop_service(folder: Path, what: str, limit_s: float = 60.0) -> None:
    """Ask the folder's service to stop and wait until it has.

    Raises:
        FederationError: If none is running, or it does not stop in time.
    """
    if not is_running(folder):
        raise FederationError(f"{what} is not running.")
    try:
        pid = int((folder / _PID).read_text(encoding="ascii"))
    except (OSError, ValueError) as error:
        raise FederationError(f"The process number in {folder / _PID} cannot be read.") from error
    os.kill(pid, signal.SIGTERM)
    deadline = time.monotonic() + limit_s
    while is_running(folder):
        if time.monotonic() > deadline:
            raise FederationError(f"{what} (process {pid}) has not stopped in {limit_s:g} s.")
        time.sleep(0.1)


@contextmanager
def asked_to_stop() -> Iterator[threading.Event]:
    """Turn SIGTERM and SIGINT into an event, so that a loop can end in good order."""
    event = threading.Event()
    before = {
        number: signal.signal(number, lambda *_: event.set())
        for number in (signal.SIGTERM, signal.SIGINT)
    }
    try:
        yield event
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)
