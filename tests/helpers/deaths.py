"""Dying at a chosen moment, as an exception that nothing catches or as a real process."""

from __future__ import annotations

import itertools
import os
import signal
import traceback
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any
from unittest.mock import patch

from fedscan.client.answers import round as site_round
from fedscan.config.study import load_study
from fedscan.privacy.ledger import Ledger
from fedscan.server import checkpoint, warm_up
from fedscan.server.progress import result
from fedscan.simulation.run import simulate


class Death(BaseException):
    """Nothing in the package catches it: what it leaves behind is what a kill would leave."""


@contextmanager
def dying(place: object, name: str, die: Callable[[], None], *, at: int, after: bool) -> Iterator:
    """Die in the ``at``-th call of a function from now on, before or after it has worked."""
    original = getattr(place, name)
    calls = 0

    def wrapped(*arguments: Any, **options: Any) -> Any:
        nonlocal calls
        calls += 1
        if calls == at and not after:
            die()
        result = original(*arguments, **options)
        if calls == at:
            die()
        return result

    with patch.object(place, name, wrapped):
        yield


#: Everything that puts a change on the disk goes through one of these.
_WRITES = ("fsync", "link", "replace", "rename", "unlink")


def dies_at_write(number: int, work: Callable[[], object]) -> bool:
    """Do something in a process that dies before the so manieth change reaches the disk.

    Returns:
        Whether it died; if not, it has done all of it.
    """
    if child := os.fork():
        status = os.waitstatus_to_exitcode(os.waitpid(child, 0)[1])
        assert status in (0, -signal.SIGKILL)
        return status != 0
    counter = itertools.count(1)

    def dying(original: Any) -> Any:
        def write(*arguments: Any, **options: Any) -> Any:
            if next(counter) == number:
                os.kill(os.getpid(), signal.SIGKILL)
            return original(*arguments, **options)

        return write

    try:
        for name in _WRITES:
            setattr(os, name, dying(getattr(os, name)))
        work()
    except BaseException:
        traceback.print_exc()
        os._exit(1)
    os._exit(0)


#: In order of time: what a run of three sites and two rounds can die in the middle of.
MOMENTS: dict[str, tuple[object, str, int, bool]] = {
    "the second site's statistics are paid for, not sent": (Ledger, "reserve", 2, True),
    "the warm-up is done, not saved": (warm_up, "write_atomically", 1, False),
    "the second site trains in round 1": (site_round, "run_private_steps", 2, False),
    "round 1 has a checkpoint without a synced name": (
        checkpoint,
        "sync_folder",
        2,
        False,
    ),
    "the third site's update is on record, not sent": (Ledger, "complete", 3, True),
    "round 2 has its checkpoint": (checkpoint.Checkpoints, "save", 1, True),
    "the generator is about to be saved": (result, "save_generator", 1, False),
}


def raise_death() -> None:
    raise Death


def run_and_exit(study: Path, data: Path, out: Path) -> None:
    """Run in this process until it ends at once, the second site's round 1 half trained."""
    with dying(site_round, "run_private_steps", lambda: os._exit(9), at=2, after=True):
        simulate(load_study(study), data, out, workers=1, evaluate=False)
