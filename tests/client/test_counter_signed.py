"""A home learns from the coordinator's counter-signature that another copy of it has spent."""

from __future__ import annotations

import shutil
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import pytest
from fedscan.cli.main import app
from fedscan.client.answers.asked import Asked
from fedscan.client.border import reply as border
from fedscan.client.counter_signed import missing_marks, noted_before, require_lines
from fedscan.client.doctor import examine_site
from fedscan.client.steward.approvals import Approvals
from fedscan.client.steward.home import SiteHome
from fedscan.common.audit import AuditLog
from fedscan.common.signing import open_signing_key
from fedscan.errors import LedgerError
from fedscan.federation.counter_signed import CounterSigned, LedgerMark
from fedscan.federation.protocol import RoundReply, RoundRequest
from fedscan.privacy.ledger.view import LedgerView
from fedscan.server.coordinator.record import read_record_public_key, write_record_key
from site_homes import invitation_of
from typer.testing import CliRunner

Ask = Callable[..., RoundReply]
Make = Callable[..., RoundRequest]


class Coordinator:
    """Signs what it is told, and gives it to a home as the proxy would."""

    def __init__(self, folder: Path) -> None:
        self.key, self.noted = folder / "record.key", CounterSigned(site="north")
        write_record_key(self.key)

    def tell(self, mark: str) -> None:
        self.noted = self.noted.with_mark(LedgerMark.parse(mark))

    def give(self, home: SiteHome) -> CounterSigned:
        home.record_key.write_text(read_record_public_key(self.key))
        home.counter_signed.write_bytes(self.noted.sign(open_signing_key(self.key)))
        found = noted_before(home)
        assert found is not None
        return found


@pytest.fixture
def coordinator(tmp_path: Path) -> Coordinator:
    return Coordinator(tmp_path / "coordinator-key")


@pytest.fixture
def requests(home: SiteHome, coordinator: Coordinator, make_request: Make) -> list[RoundRequest]:
    """The requests of two rounds of an approved study, from a coordinator that signs."""
    found = [make_request(number=1), make_request(number=2)]
    Approvals(home).approve(invitation_of(found[0]), "chest")
    coordinator.give(home)
    return found


def ledger(home: SiteHome) -> LedgerView:
    return LedgerView.read(home.state("chest") / "ledger")


def charge(home: SiteHome) -> None:
    words = ["--steps", "2", "--sample-rate", "0.25", "--noise", "1.0", "--purpose", "lost"]
    done = CliRunner().invoke(app, ["site", "charge", "chest", *words, "--home", str(home.folder)])
    assert done.exit_code == 0, done.output


def test_an_answer_shows_the_ledger_and_its_last_line(
    home: SiteHome, ask: Ask, requests: list[RoundRequest], coordinator: Coordinator
) -> None:
    reply = ask(requests[0])
    assert reply.code == "ok"
    view = ledger(home)
    assert reply.ledger == str(LedgerMark(view.name, view.head.digest))
    assert AuditLog(home.audit).entries()[-1].facts["mark"] == reply.ledger
    coordinator.tell(reply.ledger)
    noted = coordinator.give(home)
    require_lines(home, noted)
    assert ask(requests[1]).code == "ok"
    require_lines(home, noted)


def test_a_coordinator_that_never_signed_is_shown_nothing(
    home: SiteHome, ask: Ask, requests: list[RoundRequest]
) -> None:
    home.counter_signed.unlink()
    assert ask(requests[0]).ledger == ""


def test_a_copy_that_did_not_spend_what_was_signed_is_told(
    home: SiteHome, ask: Ask, requests: list[RoundRequest], coordinator: Coordinator
) -> None:
    coordinator.tell(ask(requests[0]).ledger)
    ignored = shutil.ignore_patterns("secrets", "cache")
    copy = home.folder.with_name("copy")
    shutil.copytree(home.folder, copy, ignore=ignored)
    coordinator.tell(ask(requests[1]).ledger)
    noted = coordinator.give(home)
    require_lines(home, noted)

    other = SiteHome.open(copy)
    coordinator.give(other)
    with pytest.raises(LedgerError, match="the ledger of chest lacks a line") as failure:
        require_lines(other, noted)
    assert "Let only the newest copy run" in failure.value.hint
    found = {one.check: one for one in examine_site(copy)}["counter-signature"]
    assert (found.state, found.exit_status) == ("problem", 5)
    # What the hint says: entered by hand, it stands for the line, once and for good.
    charge(other)
    require_lines(other, noted)
    # The first copy is told in its turn, once the second has spent.
    view = ledger(other)
    coordinator.tell(str(LedgerMark(view.name, view.head.digest)))
    with pytest.raises(LedgerError, match="lacks a line"):
        require_lines(home, coordinator.give(home))
    require_lines(other, coordinator.give(other))


def test_a_home_whose_ledger_is_gone_is_told(
    home: SiteHome, ask: Ask, requests: list[RoundRequest], coordinator: Coordinator
) -> None:
    for request in requests:
        coordinator.tell(ask(request).ledger)
    noted = coordinator.give(home)
    shutil.rmtree(home.state("chest"))
    with pytest.raises(LedgerError, match="it lacks a whole ledger"):
        require_lines(home, noted)
    charge(home)
    require_lines(home, noted)
    assert missing_marks(home, noted) == {}


def test_a_damaged_ledger_is_not_taken_for_an_older_one(
    home: SiteHome, ask: Ask, requests: list[RoundRequest], coordinator: Coordinator
) -> None:
    coordinator.tell(ask(requests[0]).ledger)
    lines = home.state("chest") / "ledger" / "ledger.jsonl"
    lines.write_bytes(lines.read_bytes().replace(b"round 1", b"round 9"))
    require_lines(home, coordinator.give(home))


@pytest.mark.parametrize("mark", [f"{'a' * 64}:{'b' * 64}", "own"])
def test_no_line_leaves_but_one_of_the_ledger_that_paid(
    home: SiteHome,
    ask: Ask,
    requests: list[RoundRequest],
    monkeypatch: pytest.MonkeyPatch,
    mark: str,
) -> None:
    def shown(reply: RoundReply, asked: Asked) -> RoundReply:
        name = LedgerView.read(asked.site.ledger).name
        return replace(reply, ledger=f"{name}:{'c' * 64}" if mark == "own" else mark)

    monkeypatch.setattr(border, "with_mark", shown)
    reply = ask(requests[0])
    assert (reply.code, reply.ledger) == ("egress", "")
