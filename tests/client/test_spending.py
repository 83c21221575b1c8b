"""A ledger that was lost or rolled back is no new budget: the home itself proves the spending."""

from __future__ import annotations

import json
import shutil
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import pytest
from fedscan.cli.main import app
from fedscan.client.daemon.overview import overview
from fedscan.client.doctor import examine_site
from fedscan.client.policy import load_policy, write_policy
from fedscan.client.spending import known_spending
from fedscan.client.steward.approvals import Approvals
from fedscan.client.steward.data_sets import Registry
from fedscan.client.steward.home import SiteHome
from fedscan.client.steward.proposal import propose
from fedscan.client.workspace import opened as workspace
from fedscan.common.audit import AuditLog
from fedscan.errors import LedgerError
from fedscan.federation.protocol import RoundReply, RoundRequest
from fedscan.privacy.ledger.view import LedgerView
from site_homes import OPEN, invitation_of
from typer.testing import CliRunner

Ask = Callable[..., RoundReply]
Make = Callable[..., RoundRequest]


@pytest.fixture
def answered(home: SiteHome, ask: Ask, make_request: Make) -> RoundRequest:
    """A home that has answered the first of two rounds; returns the second's request."""
    first = make_request()
    Approvals(home).approve(invitation_of(first), "chest")
    assert ask(first).code == "ok"
    return make_request(number=2)


def ledger(home: SiteHome) -> Path:
    return home.state("chest") / "ledger"


def spending(home: SiteHome) -> LedgerView | None:
    return known_spending(home.folder, home.state("chest"), allow_non_private=False)


def charge(home: SiteHome, *words: str) -> None:
    words = words or ("--steps", "2", "--sample-rate", "0.25", "--noise", "1.0")
    done = CliRunner().invoke(
        app,
        ["site", "charge", "chest", *words, "--purpose", "lost", "--home", str(home.folder)],
    )
    assert done.exit_code == 0, done.output


def as_before(home: SiteHome) -> None:
    """Write the audit log as earlier releases did: without the ledger's head."""
    log, entries = home.log, AuditLog(home.audit).entries()
    home.audit.unlink()
    home.audit.with_name("audit.jsonl.head").unlink()
    for entry in entries:
        log.append(entry.event, **{k: v for k, v in entry.facts.items() if k != "ledger"})


def test_an_answer_puts_the_ledgers_head_on_record(home: SiteHome, answered: RoundRequest) -> None:
    (entry,) = [one for one in AuditLog(home.audit).entries() if one.event == "answered"]
    view = spending(home)
    assert view is not None
    assert entry.facts["ledger"] == str(view.head)
    assert "mark" not in entry.facts  # its coordinator has never signed anything


@pytest.mark.parametrize("gone", ["ledger", "."])
def test_a_lost_ledger_is_not_begun_anew(
    home: SiteHome, ask: Ask, answered: RoundRequest, gone: str
) -> None:
    shutil.rmtree(home.state("chest") / gone)
    assert ask(answered).code == "ledger"
    assert not (ledger(home) / "ledger.jsonl").exists()
    with pytest.raises(LedgerError, match="The ledger of data set chest is lost: the audit log"):
        spending(home)


def test_a_rolled_back_ledger_is_not_spent_from(
    home: SiteHome, ask: Ask, answered: RoundRequest, tmp_path: Path
) -> None:
    ignored = shutil.ignore_patterns("secrets")
    shutil.copytree(ledger(home), tmp_path / "backup", ignore=ignored)
    assert ask(answered).code == "ok"
    shutil.rmtree(ledger(home))
    shutil.copytree(tmp_path / "backup", ledger(home))
    lines = (ledger(home) / "ledger.jsonl").read_bytes()
    other = {name: array + 0.01 for name, array in answered.tensors.items()}
    assert ask(replace(answered, tensors=other)).code == "ledger"
    assert (ledger(home) / "ledger.jsonl").read_bytes() == lines
    with pytest.raises(LedgerError, match="older than this home"):
        spending(home)


def test_a_steward_sees_it_before_approving_and_in_status_and_doctor(
    home: SiteHome, answered: RoundRequest, make_request: Make
) -> None:
    shutil.rmtree(ledger(home))
    data_set = Registry(home).get("chest")
    with pytest.raises(LedgerError, match="is lost"):
        propose(home, invitation_of(make_request("federation.rounds=5")), data_set)
    (shown,) = overview(home).data_sets
    assert "is lost" in shown.problem
    found = {one.check: one for one in examine_site(home.folder)}["ledger of chest"]
    assert (found.state, found.exit_status) == ("problem", 5)
    assert "fedscan site charge chest" in found.hint
    status = CliRunner().invoke(app, ["site", "status", "--home", str(home.folder)])
    assert "pays for nothing" in status.output.replace("\n", " ")
    listed = CliRunner().invoke(app, ["site", "ledger", "--home", str(home.folder)])
    assert listed.exit_code == LedgerError.exit_status


def test_what_is_entered_by_hand_settles_it(
    home: SiteHome, ask: Ask, answered: RoundRequest
) -> None:
    shutil.rmtree(home.state("chest"))
    charge(home)
    view = spending(home)
    assert view is not None
    assert [one.record.mechanisms[0].steps for one in view.book.reservations.values()] == [2]
    for opened in (workspace.open_data, workspace.open_study_data):
        opened.cache_clear()  # it holds the identity that was lost
    assert ask(answered).code == "ok"
    # It is on record what the ledger was settled at, so that it cannot be lost a second time.
    shutil.rmtree(ledger(home))
    with pytest.raises(LedgerError):
        spending(home)


def test_answers_of_earlier_releases_are_counted(
    home: SiteHome, ask: Ask, answered: RoundRequest
) -> None:
    as_before(home)
    shutil.rmtree(home.state("chest") / "studies")
    assert spending(home) is not None
    shutil.rmtree(ledger(home))
    with pytest.raises(LedgerError, match="has 1 answers that it paid for, and it knows 0"):
        spending(home)
    charge(home)
    assert spending(home) is not None


def test_answers_of_open_studies_of_earlier_releases_are_no_payments(
    home: SiteHome, answered: RoundRequest
) -> None:
    as_before(home)
    shutil.rmtree(home.state("chest"))
    assert known_spending(home.folder, home.state("chest"), allow_non_private=True) is None


def test_a_count_that_was_paid_for_proves_a_study_without_any_audit_log(
    home: SiteHome, answered: RoundRequest
) -> None:
    shutil.rmtree(ledger(home))
    for name in ("audit.jsonl", "audit.jsonl.head"):
        (home.folder / name).unlink()
    for approval in home.approvals.glob("*.json"):
        approval.unlink()
    with pytest.raises(LedgerError, match="has paid from it for a count"):
        spending(home)
    charge(home)
    assert spending(home) is not None


def test_an_approval_that_the_audit_log_does_not_know_proves_that_the_log_is_not_whole(
    home: SiteHome, answered: RoundRequest
) -> None:
    shutil.rmtree(home.state("chest"))
    for name in ("audit.jsonl", "audit.jsonl.head"):
        (home.folder / name).unlink()
    with pytest.raises(LedgerError, match="does not have the approval of study") as failure:
        spending(home)
    # The hint, followed to its end.
    study = answered.study()
    assert f"fedscan site approve {study[:12]} --withdraw" in failure.value.hint
    words = ["site", "approve", study[:12], "--withdraw", "--home", str(home.folder)]
    assert CliRunner().invoke(app, words).exit_code == 0
    assert spending(home) is None


def test_a_home_that_is_whole_goes_on(home: SiteHome, ask: Ask, answered: RoundRequest) -> None:
    assert ask(answered).code == "ok"
    view = spending(home)
    assert view is not None
    assert len(view.book.reservations) == 3
    for name in ("audit.jsonl", "audit.jsonl.head"):
        (home.folder / name).unlink()
    # The ledger knows the study, so it is at least as new as the log that is gone.
    assert spending(home) is not None


def test_an_open_study_leaves_no_trace_of_a_ledger(
    home: SiteHome, ask: Ask, make_request: Make
) -> None:
    write_policy(home.policy, replace(OPEN, allow_non_private=True))
    request = make_request("privacy.enabled=false")
    Approvals(home).approve(invitation_of(request), "chest")
    assert ask(request).code == "ok"
    write_policy(home.policy, OPEN)
    assert not load_policy(home.policy).allow_non_private
    assert spending(home) is None
    entry = json.loads(home.audit.read_text().splitlines()[-1])
    assert (entry["event"], entry["facts"]["ledger"]) == ("answered", "")
