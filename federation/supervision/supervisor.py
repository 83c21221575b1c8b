"""Children that are started again whenever they end, at growing intervals."""

from __future__ import annotations

import logging
import shutil
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

from .child import Child, ChildSpec

_log = logging.getLogger(__name__)

_FIRST_PAUSE_S = 0.5
_LONGEST_PAUSE_S = 30.0
#: After this long without an end, the next one counts as the first again.
_STEADY_S = 60.0
_LOG_BYTES = 20_000_000

#: Told the name of a child that ended and its exit status.
Notice = Callable[[str, int], None]


@dataclass(frozen=True, kw_only=True)
class ChildStatus:
    """What is known of a child.

    Attributes:
        running: Whether it runs.
        pid: Its process number, or that of its last run.
        restarts: How often it was started again.
        last_exit: How it last ended; ``None`` if it never did.
    """

    running: bool
    pid: int
    restarts: int
    last_exit: int | None


@dataclass(kw_only=True)
class _Place:
    spec: ChildSpec
    child: Child
    start: float
    pause: float = _FIRST_PAUSE_S
    due: float | None = None
    restarts: int = 0
    last_exit: int | None = None


class Supervisor:
    """Keeps children running; call :meth:`tick` about once a second.

    Args:
        specs: What to run, in the order of starting; stopping goes the other way.
        on_end: Told about each end that nobody asked for.
        clock: Tells seconds since some moment; never goes back.
    """

    def __init__(
        self,
        specs: Sequence[ChildSpec],
        on_end: Notice,
        *,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self._on_end, self._clock = on_end, clock
        self._places: dict[str, _Place] = {}
        try:
            for spec in specs:
                self._places[spec.name] = _Place(spec=spec, child=Child(spec), start=clock())
        except BaseException:
            self.stop()
            raise

    def tick(self) -> None:
        """Start again what has ended, once its pause is over, and keep logs short."""
        for name, place in self._places.items():
            self._tick(name, place)
            _rotate(place.spec)

    def status(self) -> Mapping[str, ChildStatus]:
        """Return what is known of each child, by name."""
        return {
            name: ChildStatus(
                running=place.child.returncode is None,
                pid=place.child.pid,
                restarts=place.restarts,
                last_exit=place.last_exit,
            )
            for name, place in self._places.items()
        }

    def child(self, name: str) -> Child:
        """Return the child of a name, running or not."""
        return self._places[name].child

    def stop(self) -> None:
        """Stop everything, the last started first."""
        for place in reversed(self._places.values()):
            place.child.stop()

    def _tick(self, name: str, place: _Place) -> None:
        code = place.child.returncode
        if code is None:
            return
        moment = self._clock()
        if place.due is None:
            place.last_exit = code
            place.child.sweep()
            if moment - place.start > _STEADY_S:
                place.pause = _FIRST_PAUSE_S
            place.due = moment + place.pause
            place.pause = min(2 * place.pause, _LONGEST_PAUSE_S)
            _log.warning("%s ended with status %d and is started again", name, code)
            self._on_end(name, code)
        if moment >= place.due:
            place.child = Child(place.spec)
            place.start, place.due = moment, None
            place.restarts += 1


def _rotate(spec: ChildSpec) -> None:
    """Copy and empty a log that has grown; the child, which appends, goes on writing to it."""
    try:
        if spec.log.stat().st_size > _LOG_BYTES:
            shutil.copyfile(spec.log, spec.log.with_name(f"{spec.log.name}.1"))
            with spec.log.open("r+b") as file:
                file.truncate()
    except OSError as error:
        _log.warning("the log %s cannot be kept short: %s", spec.log, error.strerror)
