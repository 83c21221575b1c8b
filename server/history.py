"""The run's history: one JSON line per round and site, of what may be known about it."""

from __future__ import annotations

import json
import os
from collections.abc import Iterable, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path

from ..common.files import write_atomically


@dataclass(frozen=True, kw_only=True)
class HistoryEntry:
    """One site's part in one round. Everything in it is public or computed from public values.

    Attributes:
        round: Number of the round, from 1.
        site: The site's name, or the node's number as long as it never said its name.
        code: "ok" or what went wrong.
        update_norm: L2 norm of the site's (DP-noised) update; 0 without one.
        cosine: Cosine between the site's update and the model's step.
        seconds: From sending the request to receiving the answer.
        bytes_sent: Size of the request's tensors.
        bytes_received: Size of the answer's tensors.
    """

    round: int
    site: str
    code: str
    update_norm: float = 0.0
    cosine: float = 0.0
    seconds: float = 0.0
    bytes_sent: int = 0
    bytes_received: int = 0


class History:
    """The file ``history.jsonl`` of a run.

    Args:
        path: The file; it need not exist.
    """

    def __init__(self, path: Path) -> None:
        self._path = path

    def append(self, entries: Iterable[HistoryEntry]) -> None:
        """Add entries and make them durable."""
        lines = "".join(json.dumps(asdict(entry)) + "\n" for entry in entries)
        with self._path.open("a", encoding="utf-8") as file:
            file.write(lines)
            file.flush()
            os.fsync(file.fileno())

    def entries(self) -> Sequence[HistoryEntry]:
        """Return all entries; a line torn by a crash ends the list."""
        entries: list[HistoryEntry] = []
        text = self._path.read_text(encoding="utf-8") if self._path.exists() else ""
        for line in text.splitlines():
            try:
                entries.append(HistoryEntry(**json.loads(line)))
            except (ValueError, TypeError):
                break
        return entries

    def rewind(self, last_round: int) -> None:
        """Drop the entries of rounds after ``last_round``: they are about to be run again."""
        entries = [entry for entry in self.entries() if entry.round <= last_round]
        text = "".join(json.dumps(asdict(entry)) + "\n" for entry in entries)
        write_atomically(self._path, text.encode())
