"""The events of a run as a file, for whoever watches from another process."""

from __future__ import annotations

import json
import logging
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict
from pathlib import Path
from typing import Any

from ..federation.protocol import OK
from .events import (
    Event,
    Observer,
    ReadinessAsked,
    ReadinessReceived,
    RoundStarted,
    SiteFinished,
    SitesAwaited,
    StatisticsAsked,
    StatisticsReceived,
)
from .joint.events import KeyReceived, KeysAsked, PartReady, PartReceived
from .patience import AWAITED

_log = logging.getLogger(__name__)

#: Stands for the code of a site that was asked again and has not answered yet.
ASKED = "asked again"

#: Events that a question went out, and that a site answered it.
_QUESTIONS = {kind.__name__ for kind in (KeysAsked, ReadinessAsked, StatisticsAsked, RoundStarted)}
_ANSWERS = {
    kind.__name__
    for kind in (
        KeyReceived,
        ReadinessReceived,
        StatisticsReceived,
        PartReady,
        PartReceived,
        SiteFinished,
    )
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
        entries = []
        text = self._path.read_text(encoding="utf-8") if self._path.exists() else ""
        for line in text.splitlines():
            try:
                entry = json.loads(line)
            except ValueError:
                continue
            if isinstance(entry, dict) and isinstance(entry.get("event"), str):
                entries.append(entry)
        return entries


def awaited(entries: Sequence[Mapping[str, Any]]) -> tuple[int, Mapping[str, str]] | None:
    """Return for which sites the newest round waits.

    Returns:
        The round, and by site the code of its last answer, or :data:`ASKED` where its answer to
        the repeated question is still to come; ``None`` if the round waits for no one.
    """
    begin = len(entries) - 1
    # The sites are asked again now and then.
    while begin >= 0 and entries[begin]["event"] in _QUESTIONS | _ANSWERS:
        begin -= 1
    if begin < 0 or entries[begin]["event"] != SitesAwaited.__name__:
        return None
    sites = dict(entries[begin]["sites"])
    for event in entries[begin + 1 :]:
        if "site" not in event:
            sites = dict.fromkeys(sites, ASKED)
        elif event["code"] in AWAITED:
            sites[event["site"]] = event["code"]
        else:
            sites.pop(event["site"], None)
    return (entries[begin]["round"], sites) if sites else None


def refusals(entries: Sequence[Mapping[str, Any]]) -> tuple[int, Mapping[str, str]] | None:
    """Return which sites gave no result when they were last asked, whatever the others gave.

    Returns:
        The round (0 for the warm-up), and by site the code of its answer; ``None`` if all gave one
        or were not asked yet. Sites that the round waits for (:func:`awaited`) are not among them.
    """
    number, codes = 0, dict[str, str]()
    for event in entries:
        kind = event["event"]
        if kind in _QUESTIONS:
            this_round = event.get("round", 0)
            # A round that asks again keeps what the other sites answered before.
            codes = codes if this_round == number else {}
            number = this_round
        elif kind in _ANSWERS:
            codes[event["site"]] = event["code"]
    of_sites = {site: code for site, code in codes.items() if code != OK and code not in AWAITED}
    return (number, of_sites) if of_sites else None


def both(first: Observer, second: Observer) -> Observer:
    """Return an observer that tells two others."""

    def observe(event: Event) -> None:
        first(event)
        second(event)

    return observe
