"""A site says, before anybody pays, what it would refuse the study's first question for."""

from __future__ import annotations

import json
import shutil
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import numpy as np
import pydicom
import pytest
from fedscan.client.answers import readiness
from fedscan.client.policy import write_policy
from fedscan.client.steward.approvals import Approvals
from fedscan.client.steward.home import SiteHome
from fedscan.common.audit import AuditLog
from fedscan.federation.protocol import READY, RoundReply, RoundRequest
from fedscan.privacy.ledger.view import LedgerView
from site_homes import OPEN, invitation_of

Ask = Callable[..., RoundReply]
Make = Callable[..., RoundRequest]
KIND = "query.readiness"


def without_tensors(request: RoundRequest, number: int = 1) -> RoundRequest:
    return replace(request, round=number, tensors={})


def ledger(home: SiteHome) -> Path:
    return home.state("chest") / "ledger" / "ledger.jsonl"


def test_a_yes_costs_nothing_and_says_nothing_else(
    home: SiteHome, ask: Ask, make_request: Make
) -> None:
    request = make_request()
    Approvals(home).approve(invitation_of(request), "chest")
    reply = ask(without_tensors(request), KIND)
    assert (reply.code, reply.site, reply.ledger) == ("ok", "north", "")
    assert {name: value.tolist() for name, value in reply.tensors.items()} == {READY: [1.0]}
    assert not ledger(home).exists()
    assert not (home.state("chest") / "patients").exists(), "the study has not begun here"
    asked, answered = AuditLog(home.folder / "audit.jsonl").entries()[-2:]
    assert (asked.facts["what"], answered.event, answered.facts["code"]) == (
        *("readiness", "answered"),
        "ok",
    )
    # What was said free of charge is no payment that the ledger would have to know.
    assert ask(request).code == "ok"
    paid = len(LedgerView.read(ledger(home).parent).entries)
    assert ask(without_tensors(request), KIND).code == "ok"
    assert len(LedgerView.read(ledger(home).parent).entries) == paid


@pytest.mark.parametrize(
    ("change", "code"),
    [
        (lambda home: write_policy(home.policy, replace(OPEN, min_patients=5)), "privacy"),
        (lambda home: write_policy(home.policy, replace(OPEN, max_clip_norm=0.5)), "privacy"),
        (lambda home: write_policy(home.policy, replace(OPEN, epsilon_ceiling=0.01)), None),
        (lambda home: home.pause_file.touch(), "paused"),
        (lambda home: Approvals(home).withdraw(Approvals(home).all()[0].study), "not-approved"),
    ],
    ids=["too few patients", "clipping", "budget", "paused", "not approved"],
)
def test_a_no_is_the_code_of_the_first_rounds_refusal(
    home: SiteHome, ask: Ask, make_request: Make, change: Callable[[SiteHome], None], code: str
) -> None:
    request = make_request()
    Approvals(home).approve(invitation_of(request), "chest")
    change(home)
    reply = ask(without_tensors(request), KIND)
    assert reply.code == (code or "budget-exceeded")
    assert not ledger(home).exists()
    assert ask(request).code == reply.code


def test_a_lost_ledger_and_another_base_are_told(
    home: SiteHome, ask: Ask, make_request: Make
) -> None:
    request = make_request()
    Approvals(home).approve(invitation_of(request), "chest")
    assert ask(request).code == "ok"
    shutil.rmtree(ledger(home).parent)
    assert ask(without_tensors(request), KIND).code == "ledger"
    other = replace(without_tensors(request), base="0" * 64)
    Approvals(home).approve(invitation_of(other), "chest")
    assert ask(other, KIND).code == "model"


def test_the_statistics_noise_counts_only_where_they_come_next(
    home: SiteHome, ask: Ask, make_request: Make
) -> None:
    request = make_request("privacy.epsilon=8", "privacy.statistics_share=0.3")
    Approvals(home).approve(invitation_of(request), "chest")
    write_policy(home.policy, replace(OPEN, min_noise_multiplier=1.5))
    codes = [ask(without_tensors(request, number), KIND).code for number in (1, 0)]
    assert codes == ["ok", "privacy"]


def test_a_study_counts_the_patients_that_it_began_with(
    home: SiteHome, ask: Ask, make_request: Make
) -> None:
    request = make_request()
    Approvals(home).approve(invitation_of(request), "chest")
    assert ask(request).code == "ok"
    (roster,) = (home.state("chest") / "patients").glob("*.json")
    roster.write_text(json.dumps(json.loads(roster.read_text())[:3]))
    write_policy(home.policy, replace(OPEN, min_patients=4))
    assert ask(without_tensors(request), KIND).code == "privacy"


def test_the_gate_holds_back_a_yes_that_says_more(
    home: SiteHome, ask: Ask, make_request: Make, monkeypatch: pytest.MonkeyPatch
) -> None:
    request = make_request()
    Approvals(home).approve(invitation_of(request), "chest")
    monkeypatch.setattr(readiness.np, "ones", lambda *shape: np.full(1, 4.0, np.float32))
    assert ask(without_tensors(request), KIND).code == "egress"


def darken(home: SiteHome, patients: int) -> None:
    """Make every image of so many of the made-up patients show nothing."""
    by_patient: dict[str, list[Path]] = {}
    for path in sorted((home.folder.parent / "scans" / "chest").rglob("*.dcm")):
        by_patient.setdefault(
            str(pydicom.dcmread(path, stop_before_pixels=True).PatientID), []
        ).append(path)
    for paths in list(by_patient.values())[:patients]:
        for path in paths:
            dataset = pydicom.dcmread(path)
            dataset.PixelData = bytes(len(dataset.PixelData))
            dataset.save_as(path)


@pytest.mark.parametrize(
    ("blank", "least", "code"), [(4, 1, "privacy"), (2, 3, "privacy"), (2, 2, "ok")]
)
def test_patients_with_blank_images_alone_do_not_count(
    home: SiteHome, ask: Ask, make_request: Make, blank: int, least: int, code: str
) -> None:
    darken(home, blank)
    write_policy(home.policy, replace(OPEN, min_patients=least))
    request = make_request()
    Approvals(home).approve(invitation_of(request), "chest")
    assert ask(without_tensors(request), KIND).code == code
    assert not (home.state("chest") / "cache").exists()
    assert ask(request).code == code
    # What was decoded for a study is known for the next one.
    assert ask(without_tensors(make_request("local.steps=2")), KIND).code == "not-approved"
