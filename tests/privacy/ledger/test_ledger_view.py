"""The ledger for people: readable while a site trains, complete, and free of secrets."""

from __future__ import annotations

import io
import json
from pathlib import Path

import pytest
from fedscan.errors import BudgetExceededError, LedgerError
from fedscan.privacy.ledger import Ledger, LedgerHead
from fedscan.privacy.ledger.view import LedgerView
from fedscan.privacy.mechanism import SubsampledGaussian
from rich.console import Console

STEP = SubsampledGaussian(1.0, 20.0, 1)


def digest(number: int) -> str:
    return f"{number:064x}"


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    return tmp_path / "ledger"


def fill(ledger: Ledger) -> None:
    first = ledger.reserve(digest(1), [STEP], purpose="round 1")
    ledger.complete(first, digest(11))
    second = ledger.reserve(digest(2), [STEP], purpose="round 2")
    ledger.complete(second, digest(12))
    ledger.erase_secrets(second.sequence)
    ledger.reserve(digest(3), [STEP], purpose="round 3")
    with pytest.raises(BudgetExceededError):
        ledger.reserve(digest(4), [SubsampledGaussian(1.0, 3.0, 1)], purpose="round 4")


def test_rows_say_what_became_of_every_step(folder):
    with Ledger.open(folder, "data", epsilon_ceiling=1.0, delta=1e-5) as ledger:
        fill(ledger)
        # Read while another holder has the ledger open.
        rows = {row.purpose: row for row in LedgerView.read(folder).rows() if row.purpose}
        assert rows["round 1"].state == "completed, secret erased"
        assert rows["round 2"].state == "completed"
        assert rows["round 3"].state == "reserved"
        assert rows["round 4"].state.startswith("refused")
        assert rows["round 4"].epsilon is None
        assert rows["round 3"].epsilon == ledger.spent().epsilon
        assert rows["round 1"].mechanism == "1 x (q 1, sigma 20)"


def test_the_table_fits_a_terminal(folder):
    with Ledger.open(folder, "data", epsilon_ceiling=1.0, delta=1e-5) as ledger:
        fill(ledger)
        ledger.plan(digest(7), epsilon=0.9, sample_rate=0.5, steps=3)
        head = ledger.head()
    console = Console(file=io.StringIO(), width=150)
    console.print(LedgerView.read(folder).table())
    text = console.file.getvalue()  # type: ignore[attr-defined]
    assert str(head) in text
    assert "planned, nothing spent" in text
    assert "round 3" in text


def test_json_holds_every_entry_and_no_secret(folder):
    with Ledger.open(folder, "data", epsilon_ceiling=1.0, delta=1e-5) as ledger:
        fill(ledger)
        secret = ledger.reserve(digest(3), [STEP], purpose="round 3").secret
        entries, head = ledger.entries(), ledger.head()
    text = LedgerView.read(folder, head).to_json()
    content = json.loads(text)
    assert len(content["entries"]) == len(entries)
    assert content["mechanisms"] == [{"sample_rate": 1.0, "noise_multiplier": 20.0, "steps": 3}]
    assert content["head"] == {"sequence": head.sequence, "digest": head.digest}
    assert content["data_set"] == "data"
    assert secret.hex() not in text


def test_a_pin_is_text_and_back(folder):
    with Ledger.open(folder, "data", epsilon_ceiling=1.0, delta=1e-5) as ledger:
        head = ledger.head()
    assert LedgerHead.parse(str(head)) == head
    LedgerView.read(folder, head)
    with pytest.raises(LedgerError, match="pinned"):
        LedgerView.read(folder, LedgerHead(0, digest(5)))
    with pytest.raises(LedgerError, match="pinned"):
        LedgerView.read(folder, LedgerHead(7, head.digest))
    with pytest.raises(LedgerError, match="not the head of a ledger"):
        LedgerHead.parse("0:abc")


def test_no_ledger_is_said_so_and_none_is_begun(folder):
    with pytest.raises(LedgerError, match="no ledger"):
        LedgerView.read(folder)
    assert not folder.exists()
