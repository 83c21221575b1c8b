"""Noting how far the sites' ledgers have come, under the coordinator's signature."""

from __future__ import annotations

from pathlib import Path

from ...common.files import write_atomically
from ...common.locks import in_turn
from ...common.signing import open_signing_key
from ...federation.counter_signed import CounterSigned, LedgerMark
from .home import Home

#: Name of the file in a site's folder; the proxy hands it to that site alone.
HEADS = "ledger-heads.json"

_LOCK = "ledger-heads.lock"


def begin(home: Home, site: str) -> None:
    """Sign that nothing is noted yet, unless something is: so a site knows that it may tell."""
    path = home.sites / site / HEADS
    if not path.exists():
        with in_turn(path.with_name(_LOCK)):
            if not path.exists():
                _write(home, path, CounterSigned(site=site))


def counter_sign(home: Home, site: str, mark: LedgerMark) -> None:
    """Sign a line that a site's ledger has reached, together with those before it.

    Args:
        home: The coordinator's folder.
        site: The name of the site that told, which is its own.
        mark: The ledger and its last line.
    """
    path = home.sites / site / HEADS
    # Several studies' servers may write at the same time.
    with in_turn(path.with_name(_LOCK)):
        marks = CounterSigned.own(path.read_bytes() if path.exists() else b"", site)
        _write(home, path, marks.with_mark(mark))


def _write(home: Home, path: Path, marks: CounterSigned) -> None:
    write_atomically(path, marks.sign(open_signing_key(home.record_key)))
