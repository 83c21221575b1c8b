"""A second copy of a home, and one without its ledger, are told so when they start."""

from __future__ import annotations

import json
import shutil
from pathlib import Path

import pytest
from fedscan.cli.main import app
from fedscan.common.audit import AuditLog
from fedscan.errors import LedgerError
from fedscan.federation.counter_signed import CounterSigned
from fedscan.privacy.ledger.view import LedgerView
from fedscan.server.coordinator.counter_sign import HEADS
from fedscan.server.coordinator.record import read_record_public_key
from loopback import LIMIT_S, SITES, Federation, fedscan, until
from typer.testing import CliRunner

pytestmark = pytest.mark.real_processes


def ledger(home: Path) -> LedgerView:
    return LedgerView.read(home / "data" / "chest" / "ledger")


def stopped(federation: Federation, name: str) -> None:
    federation.process(name).terminate()
    assert federation.process(name).wait(LIMIT_S) == 0


def refused(federation: Federation, name: str, why: str) -> None:
    """Start a home; it must end by itself with a sentence, and say it again when asked."""
    federation.start(name)
    assert federation.process(name).wait(LIMIT_S) == LedgerError.exit_status
    home = federation.site(name)
    said = (federation.root / f"{name}.log").read_text()
    shown = " ".join(fedscan("site", "status", "--home", home).split())
    for text in (" ".join(said.split()), shown):
        assert "This home is not the one that spent last" in text
        assert why in text
        assert "fedscan site charge" in text
    doctor = CliRunner().invoke(app, ["doctor", "--site", str(home), "--json"])
    found = {one["check"]: one for one in json.loads(doctor.stdout)}
    assert found["daemon"]["state"] == "warning"
    assert found["counter-signature"]["state"] == "problem"
    assert why in found["counter-signature"]["message"]


def online(federation: Federation) -> bool:
    return all(site["online"] for site in federation.status()["sites"])


def charge(home: Path) -> None:
    fedscan(
        *("site", "charge", "chest", "--steps", "6", "--sample-rate", "1", "--noise", "1"),
        *("--purpose", "spent by another copy", "--home", home),
    )


def test_copies_of_a_home_are_told_and_a_lost_ledger_is_no_new_budget(
    own_federation: Federation,
) -> None:
    federation = own_federation
    federation.start()
    federation.ready()
    federation.finish(federation.submit("first"))
    north, copy = federation.site("north"), federation.site("north-copy")
    # Both sides know how far each ledger has come.
    public = read_record_public_key(federation.home.record_key)
    for name in SITES:
        view = ledger(federation.site(name))
        content = (federation.home.sites / name / HEADS).read_bytes()
        assert CounterSigned.read(content, public).lines[view.name][-1] == view.head.digest

    ignored = shutil.ignore_patterns("run")
    federation.restart("north", lambda: shutil.copytree(north, copy, ignore=ignored))
    until(lambda: online(federation), f"the first copy's return\n{federation.logs()}")
    federation.finish(federation.submit("second", "local.steps=3"))
    stopped(federation, "north")
    refused(federation, "north-copy", "the ledger of chest lacks a line")

    # Entered by hand, what the first copy spent is settled, and the second one takes part.
    charge(copy)
    federation.start("north-copy")
    until(lambda: online(federation), f"the second copy's start\n{federation.logs()}")
    third = federation.submit("third", "local.steps=4", approved_by=["south"])
    federation.approve(third, "north-copy")
    federation.finish(third)
    stopped(federation, "north-copy")
    refused(federation, "north", "the ledger of chest lacks a line")

    # A ledger that is gone is not begun anew.
    shutil.rmtree(copy / "data" / "chest" / "ledger")
    refused(federation, "north-copy", "it lacks a whole ledger")
    shown = json.loads(fedscan("site", "status", "--json", "--home", copy))
    assert "The ledger of data set chest is lost" in shown["data_sets"][0]["problem"]
    events = [entry.event for entry in AuditLog(copy / "audit.jsonl").entries()]
    assert events.count("ledger-settled") == 1
