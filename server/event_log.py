"""The events of a run as a file, for whoever watches from another process."""

from __future__ import annotations

import json
import logging
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict
from pathlib import Path
from typing import Any

from .events import (
    Event,
    Observer,
    RoundStarted,
    SiteFinished,
    SitesAwaited,
    StatisticsAsked,
    StatisticsReceived,
)

_log = logging.getLogger(__name__)

_ASKING = {
    kind.__name__ for kind in (RoundStarted, SiteFinished, StatisticsAsked, StatisticsReceived)
}


class EventLog:
    """The file ``events.jsonl`` of a run: one JSON line per event, with its time.

    It is for people; nothing depends on it, so it is not synced to the disk line by line.

    Args:
        path: The file; it need not exist.
        clock: Returns the seconds since 1970.
    """

    def __init__(self, path: Path, clock: Callable[[], float] = time.time) -> None:
        self._path = path
        self._clock = clock

    def __call__(self, event: Event) -> None:
        """Add an event."""
        line = {"time": round(self._clock(), 3), "event": type(event).__name__, **asdict(event)}
        try:
            self._path.parent.mkdir(parents=True, exist_ok=True)
            with self._path.open("a", encoding="utf-8") as file:
                file.write(json.dumps(line) + "\n")
        except OSError as failure:
            # A full disk must not end a training that is paid for.
            _log.warning("An event is not on record: %s", failure.strerror)

    def entries(self) -> list[dict[str, Any]]:
        """Return all events; a line torn by a crash, or still being written, is left out."""
        found = []
        text = self._path.read_text(encoding="utf-8") if self._path.exists() else ""
        for line in text.splitlines():
            try:
                entry = json.loads(line)
            except ValueError:
                continue
            if isinstance(entry, dict) and isinstance(entry.get("event"), str):
                found.append(entry)
        return found


def awaited(entries: Sequence[Mapping[str, Any]]) -> Mapping[str, Any] | None:
    """Return the event that says for which sites the newest round waits; ``None`` without."""
    for event in reversed(entries):
        if event["event"] == SitesAwaited.__name__:
            return event
        # The sites are asked again now and then.
        if event["event"] not in _ASKING:
            break
    return None


def both(first: Observer, second: Observer) -> Observer:
    """Return an observer that tells two others."""

    def observe(event: Event) -> None:
        first(event)
        second(event)

    return observe
