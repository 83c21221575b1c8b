"""The file of events: whole lines for whoever watches, and never in the way of training."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from fedscan.server.event_log import ASKED, EventLog, awaited, both, refusals
from fedscan.server.events import (
    Event,
    RoundFinished,
    RoundStarted,
    SiteFinished,
    SitesAwaited,
    WarmedUp,
)


def test_events_are_read_back_in_order_with_their_time(tmp_path: Path) -> None:
    times = iter([10.0, 20.5])
    log = EventLog(tmp_path / "run" / "events.jsonl", lambda: next(times))
    log(WarmedUp(groups=3))
    log(RoundStarted(round=1, rounds=2, sites=3, request="0" * 64))
    assert log.entries() == [
        {"time": 10.0, "event": "WarmedUp", "groups": 3},
        {"time": 20.5, "event": "RoundStarted", "round": 1, "rounds": 2, "sites": 3}
        | {"request": "0" * 64},
    ]


def test_what_is_no_event_is_left_out(tmp_path: Path) -> None:
    file = tmp_path / "events.jsonl"
    file.write_text('[1]\n{"event": 1}\nnot JSON\n{"event": "WarmedUp", "groups": 1}\n{"event": "W')
    assert [one["event"] for one in EventLog(file).entries()] == ["WarmedUp"]


def test_a_disk_that_takes_nothing_ends_nothing(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    (tmp_path / "run").write_text("a file is in the way")
    EventLog(tmp_path / "run" / "events.jsonl")(WarmedUp(groups=3))
    assert "not on record" in caplog.text


def test_both_observers_are_told() -> None:
    first: list[Event] = []
    second: list[Event] = []
    both(first.append, second.append)(WarmedUp(groups=3))
    assert first == second == [WarmedUp(groups=3)]


_ASKED = RoundStarted(round=1, rounds=2, sites=2, request="0" * 64)
_AWAITED = SitesAwaited(round=1, sites={"north": "paused", "south": "not-approved"})


def _answer(site: str, code: str) -> SiteFinished:
    return SiteFinished(round=1, site=site, code=code, seconds=1.0)


@pytest.mark.parametrize(
    ("events", "waits"),
    [
        ([_ASKED, _answer("north", "paused")], None),
        ([_AWAITED], {"north": "paused", "south": "not-approved"}),
        ([_AWAITED, _ASKED], {"north": ASKED, "south": ASKED}),
        ([_AWAITED, _ASKED, _answer("south", "paused")], {"north": ASKED, "south": "paused"}),
        ([_AWAITED, _ASKED, _answer("south", "ok")], {"north": ASKED}),
        ([_AWAITED, _ASKED, _answer("south", "ok"), _answer("north", "data")], None),
        (
            [_AWAITED, RoundFinished(round=1, rounds=2, results=2, update_norm=1.0, seconds=1.0)],
            None,
        ),
    ],
)
def test_a_round_waits_for_whoever_has_not_answered_since(
    events: list[Event], waits: dict[str, str] | None, tmp_path: Path
) -> None:
    log = EventLog(tmp_path / "events.jsonl")
    for event in events:
        log(event)
    assert awaited(log.entries()) == ((1, waits) if waits else None)


def _read(tmp_path: Path, *events: Event) -> list[dict[str, Any]]:
    log = EventLog(tmp_path / "events.jsonl")
    for event in events:
        log(event)
    return log.entries()


def test_who_refused_in_the_newest_round_is_known_by_name_and_code(tmp_path: Path) -> None:
    asked = replace(_ASKED, round=2)
    answers = [
        SiteFinished(round=2, site=site, code=code, seconds=1.0)
        for site, code in (("north", "privacy"), ("south", "ok"), ("west", "paused"))
    ]
    entries = _read(tmp_path, _ASKED, _answer("north", "data"), asked)
    assert refusals(entries) is None
    assert refusals(_read(tmp_path, *answers)) == (2, {"north": "privacy"})
    # Asked again because of west, and north has had time to think.
    assert refusals(_read(tmp_path, asked)) == (2, {"north": "privacy"})
    assert refusals(_read(tmp_path, replace(answers[0], code="ok"))) is None
