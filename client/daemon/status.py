"""What the running daemon knows of itself, in a file that other commands read."""

from __future__ import annotations

import json
from dataclasses import asdict, dataclass, replace
from datetime import UTC, datetime

from ...common.files import write_atomically
from ...federation.supervision.service import is_running
from ..steward.home import SiteHome


@dataclass(frozen=True, kw_only=True)
class Status:
    """The daemon's state.

    Attributes:
        running: Whether the daemon runs.
        connected: Whether the last connection to the coordinator succeeded.
        since: Since when that is so, UTC.
        problem: What went wrong with the last connection, in one sentence.
        restarts: How often Flower's node was started again.
    """

    running: bool = False
    connected: bool = False
    since: str = ""
    problem: str = ""
    restarts: int = 0


class StatusFile:
    """The file in the folder ``run``.

    Args:
        home: The site's home.
    """

    def __init__(self, home: SiteHome) -> None:
        self._home, self._path = home, home.run / "status.json"
        self._status = Status()

    def read(self) -> Status:
        """Return what the running daemon wrote; nothing is connected where none runs."""
        if not is_running(self._home.run):
            return Status()
        try:
            return replace(Status(**json.loads(self._path.read_bytes())), running=True)
        except (OSError, ValueError, TypeError):
            return Status(running=True)

    def connection(self, problem: str) -> None:
        """Note how the last connection went; ``problem`` is empty if well."""
        if self._status.since and problem == self._status.problem:
            return
        now = datetime.now(UTC).isoformat(timespec="seconds")
        self._write(replace(self._status, connected=not problem, since=now, problem=problem))

    def restarted(self) -> None:
        """Note that the node ended and is started again."""
        self._write(replace(self._status, restarts=self._status.restarts + 1))

    def _write(self, status: Status) -> None:
        self._status = status
        write_atomically(self._path, json.dumps(asdict(status)).encode())
