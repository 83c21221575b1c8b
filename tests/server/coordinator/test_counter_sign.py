"""The coordinator signs what the sites' answers say of their ledgers, each for its site alone."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest
from fedscan.federation.counter_signed import LINES_KEPT, CounterSigned, LedgerMark
from fedscan.server.coordinator.app import _counter_sign
from fedscan.server.coordinator.counter_sign import HEADS, begin, counter_sign
from fedscan.server.coordinator.home import Home
from fedscan.server.coordinator.record import read_record_public_key, write_record_key
from fedscan.server.events import (
    CompositionReceived,
    RoundFinished,
    SiteFinished,
    StatisticsReceived,
)

MARK = LedgerMark("a" * 64, "b" * 64)


@pytest.fixture
def coordinator(tmp_path: Path) -> Home:
    home = Home(tmp_path)
    write_record_key(home.record_key)
    for site in ("north", "south"):
        (home.sites / site).mkdir(parents=True)
    return home


def noted(home: Home, site: str) -> CounterSigned:
    content = (home.sites / site / HEADS).read_bytes()
    return CounterSigned.read(content, read_record_public_key(home.record_key))


def test_it_begins_with_nothing_and_never_forgets(coordinator: Home) -> None:
    begin(coordinator, "north")
    assert noted(coordinator, "north").lines == {}
    counter_sign(coordinator, "north", MARK)
    begin(coordinator, "north")
    assert noted(coordinator, "north").lines == {MARK.ledger: (MARK.line,)}


@pytest.mark.parametrize("kind", [SiteFinished, StatisticsReceived, CompositionReceived])
def test_every_kind_of_answer_is_signed_for_the_site_that_gave_it(coordinator: Home, kind) -> None:
    values = {"round": 1} if kind is SiteFinished else {}
    event = kind(site="south", code="ok", seconds=1.0, ledger=str(MARK), **values)
    _counter_sign(coordinator, event)
    assert noted(coordinator, "south").lines == {MARK.ledger: (MARK.line,)}
    assert not (coordinator.sites / "north" / HEADS).exists()


def test_what_says_nothing_of_a_ledger_changes_nothing(coordinator: Home) -> None:
    silent = StatisticsReceived(site="south", code="privacy", seconds=1.0)
    done = RoundFinished(round=1, rounds=2, results=1, update_norm=1.0, seconds=1.0)
    for event in (silent, done):
        _counter_sign(coordinator, event)
    assert not (coordinator.sites / "south" / HEADS).exists()


def test_studies_that_run_at_once_lose_no_line(coordinator: Home) -> None:
    marks = [LedgerMark("a" * 64, f"{number:064x}") for number in range(LINES_KEPT)]
    with ThreadPoolExecutor(LINES_KEPT) as pool:
        list(pool.map(lambda mark: counter_sign(coordinator, "north", mark), marks))
    assert set(noted(coordinator, "north").lines["a" * 64]) == {mark.line for mark in marks}
