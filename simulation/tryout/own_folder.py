"""A try-out's folder: made for it, held while it runs, and removed when it ends."""

from __future__ import annotations

import json
import shutil
import signal
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from types import FrameType

from ...common.files import write_atomically
from ...errors import ConfigurationError, FederationError
from ...federation.supervision.service import is_running, running_in, stop_service

_WHAT = "The try-out"
#: Says that a folder is a try-out's, so that nothing else is ever removed.
_MARK = "tryout.json"
_RUN = "run"
#: Longest time in which its processes end, each in good order and one after the other.
_STOPS_WITHIN_S = 300.0
_ENDING = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)


@contextmanager
def own_folder(folder: Path, *, keep: bool) -> Iterator[None]:
    """Make a try-out's folder and hold it while the block runs, whose end removes it.

    Ctrl-C, SIGTERM and a closed terminal raise :class:`KeyboardInterrupt` in the block. Once they
    have, or the block has ended, they do nothing more: what runs must be ended first.

    Args:
        folder: A new or an empty folder.
        keep: Whether it stays.

    Raises:
        ConfigurationError: If it holds anything.
    """
    if folder.exists() and (not folder.is_dir() or any(folder.iterdir())):
        hint = "Choose another folder, or remove it."
        if (folder / _MARK).is_file():
            hint = f"A try-out is or was there: `fedscan try {folder} --stop` ends and removes it."
        raise ConfigurationError(f"{folder} is not empty.", hint=hint)
    folder.mkdir(parents=True, exist_ok=True)
    folder.chmod(0o700)
    write_atomically(folder / _MARK, json.dumps({"keep": keep}).encode() + b"\n")
    with _ended_by_signals():
        try:
            with running_in(folder / _RUN, _WHAT):
                yield
        finally:
            ignore_signals()
            if not keep:
                _remove(folder)


def stop_in(folder: Path) -> None:
    """End the try-out of a folder, and remove the folder unless it was to be kept.

    One that was killed has left its folder and nothing that runs.

    Raises:
        ConfigurationError: If the folder is no try-out's.
        FederationError: If it does not end in time.
    """
    try:
        keep = bool(json.loads((folder / _MARK).read_text(encoding="utf-8"))["keep"])
    except (OSError, ValueError, KeyError, TypeError):
        raise ConfigurationError(
            f"There is no try-out in {folder}.", hint="`fedscan try FOLDER --stop` names another."
        ) from None
    run = folder / _RUN
    if is_running(run):
        stop_service(run, _WHAT, _STOPS_WITHIN_S)
    elif keep:
        raise FederationError(
            f"The try-out in {folder} does not run, and its folder was to be kept.",
            hint=f"Remove it with `rm -r {folder}`.",
        )
    if not keep:
        _remove(folder)


def ignore_signals() -> None:
    """Let no second Ctrl-C disturb the ending; :func:`own_folder` makes it count again."""
    for number in _ENDING:
        signal.signal(number, signal.SIG_IGN)


@contextmanager
def _ended_by_signals() -> Iterator[None]:
    def end(number: int, frame: FrameType | None) -> None:
        ignore_signals()
        raise KeyboardInterrupt

    before = {number: signal.signal(number, end) for number in _ENDING}
    try:
        yield
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)


def _remove(folder: Path) -> None:
    """Remove a try-out's folder; the one that runs and the one that ends it may both do so."""
    shutil.rmtree(folder, ignore_errors=True)
