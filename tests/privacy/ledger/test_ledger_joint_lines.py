"""Lines of joint sums in the ledger: written, read, and refused where they break the rules."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path

import pytest
from fedscan.errors import LedgerError
from fedscan.privacy.accounting import epsilon
from fedscan.privacy.ledger import Ledger
from fedscan.privacy.ledger.entries import Reserve, decode, encode, line_digest
from fedscan.privacy.ledger.view import LedgerView
from joint_ledgers import DELTA, LOCAL, MASKED, RESULT, ROSTER, SHARE, digest, open_ledger, pay

#: Written by a release without joint sums.
EARLIER = Path(__file__).parents[2] / "compatibility/before/private/finished/sites/north/ledger"


def test_lines_without_joint_sums_are_written_as_before(tmp_path):
    with open_ledger(tmp_path) as ledger:
        reservation = ledger.reserve(digest(1), [LOCAL], purpose="round 1")
        ledger.complete(reservation, RESULT)
    lines = [json.loads(line) for line in (tmp_path / "ledger.jsonl").read_bytes().splitlines()]
    assert list(lines[1]["record"]) == [
        *("kind", "request", "study", "purpose", "mechanisms", "delta", "ceiling", "epsilon"),
        "commitment",
    ]
    assert list(lines[2]["record"]) == ["kind", "reservation", "result"]


def test_lines_of_joint_sums_are_read_as_they_were_written(tmp_path):
    with open_ledger(tmp_path) as ledger:
        ledger.complete(pay(ledger, 1), RESULT, roster=ROSTER, masked_sum=MASKED)
        entries = ledger.entries()
    lines = (tmp_path / "ledger.jsonl").read_bytes().splitlines(keepends=True)
    assert [decode(line) for line in lines] == list(entries)
    assert [encode(entry) for entry in entries] == lines
    record = entries[1].record
    assert isinstance(record, Reserve)
    assert (record.joint, record.collusion_ceiling) == ((SHARE.joint,), 20.0)


def test_an_earlier_releases_ledger_counts_as_before_and_goes_on_with_joint_sums(tmp_path):
    for name in ("ledger.jsonl", "head.json"):
        (tmp_path / name).write_bytes((EARLIER / name).read_bytes())
    view = LedgerView.read(tmp_path)
    lines = (tmp_path / "ledger.jsonl").read_bytes()
    assert b"".join(encode(entry) for entry in view.entries) == lines
    mechanisms = view.book.mechanisms()
    assert view.book.own_mechanisms() == mechanisms
    recorded = [row.epsilon for row in view.rows() if row.epsilon is not None][-1]
    assert epsilon(mechanisms, DELTA) == pytest.approx(recorded, rel=1e-3)
    with Ledger.open(
        tmp_path, view.book.data_set, epsilon_ceiling=50.0, collusion_ceiling=60.0, delta=DELTA
    ) as ledger:
        pay(ledger, 1)
        spent = ledger.spent()
        assert spent.epsilon == epsilon([*mechanisms, SHARE.joint], DELTA)
        assert spent.collusion_epsilon == epsilon([*mechanisms, SHARE.own], DELTA)
    assert (tmp_path / "ledger.jsonl").read_bytes().startswith(lines)


@pytest.mark.parametrize(
    ("old", "new"),
    [
        (f'"roster":"{ROSTER}",', ""),
        (f',"masked_sum":"{MASKED}"', ""),
        ('"collusion_ceiling":20.0', '"collusion_ceiling":0.1'),
        ('"noise_multiplier":20.0', '"noise_multiplier":2.0'),
    ],
)
def test_lines_that_break_the_rules_of_joint_sums_are_refused(tmp_path, old, new):
    with open_ledger(tmp_path) as ledger:
        ledger.complete(pay(ledger, 1), RESULT, roster=ROSTER, masked_sum=MASKED)
        entries = ledger.entries()
    text = b"".join(encode(entry) for entry in entries).decode()
    assert text.count(old) == 1
    _rewrite(tmp_path, text.replace(old, new))
    with pytest.raises(LedgerError, match="contradicts"):
        LedgerView.read(tmp_path)


def _rewrite(folder: Path, text: str) -> None:
    """Write lines as whoever can write the files could: with a new chain and head."""
    previous, lines = "0" * 64, []
    for line in text.splitlines():
        entry = replace(decode(line.encode()), previous=previous)
        lines.append(encode(entry))
        previous = line_digest(lines[-1])
    (folder / "ledger.jsonl").write_bytes(b"".join(lines))
    head = {"sequence": len(lines) - 1, "digest": previous}
    (folder / "head.json").write_text(json.dumps(head) + "\n")
