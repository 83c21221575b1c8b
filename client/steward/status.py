"""What the daemon knows of itself, or said when it ended, in a file that other commands read."""

from __future__ import annotations

import json
from dataclasses import asdict, dataclass, replace
from datetime import UTC, datetime

from ...common.files import write_atomically
from ...errors import FedscanError
from ...federation.supervision.service import is_running
from .home import SiteHome

_KILLED = (
    "it was killed, or the machine went down, some time after that: it did not say that it would "
    "stop."
)
_KILLED_HINT = (
    "`fedscan site start` goes on; a round that was interrupted is repeated at no cost. If nobody "
    "ended it, look into the machine's log, for memory first."
)


@dataclass(frozen=True, kw_only=True)
class Status:
    """The daemon's state.

    Attributes:
        running: Whether the daemon runs.
        connected: Whether the last connection to the coordinator succeeded.
        since: Since when that is so, UTC; of a daemon that was killed, when it last said anything.
        problem: What went wrong with the last connection, or why a daemon that does not run any
            more ended, in one sentence.
        hint: What to do about it.
        ended: Whether the daemon ended because of the problem.
        restarts: How often Flower's node was started again.
    """

    running: bool = False
    connected: bool = False
    since: str = ""
    problem: str = ""
    hint: str = ""
    ended: bool = False
    restarts: int = 0


class StatusFile:
    """The file in the folder ``run``.

    Args:
        home: The site's home.
    """

    def __init__(self, home: SiteHome) -> None:
        self._home, self._path = home, home.run / "status.json"
        self._status = Status()

    @property
    def connected(self) -> bool:
        """Whether the last connection that was noted here went well."""
        return self._status.connected

    def read(self) -> Status:
        """Return what the daemon wrote; nothing is connected where none runs."""
        running = is_running(self._home.run)
        try:
            status = Status(**json.loads(self._path.read_bytes()))
        except (OSError, ValueError, TypeError):
            return Status(running=running)
        if running:
            return replace(status, running=True, ended=False)
        if status.since and not status.ended:
            # A daemon that stops in good order says so.
            return Status(since=status.since, problem=_KILLED, hint=_KILLED_HINT, ended=True)
        return status

    def connection(self, problem: str, hint: str = "") -> None:
        """Note how the last connection went; ``problem`` is empty if well."""
        if self._status.since and problem == self._status.problem:
            return
        self._write(
            replace(self._status, connected=not problem, since=_now(), problem=problem, hint=hint)
        )

    def restarted(self) -> None:
        """Note that the node ended and is started again."""
        self._write(replace(self._status, restarts=self._status.restarts + 1))

    def ended(self, failure: FedscanError) -> None:
        """Note why the daemon ends."""
        self._write(Status(since=_now(), problem=failure.message, hint=failure.hint, ended=True))

    def stopped(self) -> None:
        """Note that the daemon ends because somebody asked it to."""
        self._write(Status())

    def _write(self, status: Status) -> None:
        self._status = status
        write_atomically(self._path, json.dumps(asdict(status)).encode())


def _now() -> str:
    return datetime.now(UTC).isoformat(timespec="seconds")
