"""The coordinator's folder by its commands: what they write, and what they refuse."""

from __future__ import annotations

import base64
import json
import shutil
import socket
import stat
from pathlib import Path

import pytest
from click.testing import Result
from fedscan.cli.main import app
from fedscan.common.audit import AuditLog, verify
from fedscan.common.files import write_atomically
from fedscan.federation.invitation import Invitation
from fedscan.federation.pki.authority import serial_text
from fedscan.federation.pki.certificates import load_certificate
from fedscan.federation.pki.enrolment import EnrolmentRequest, Welcome
from fedscan.federation.pki.keys import new_key, public_pem, read_public_text
from fedscan.model.storage import weights_digest
from fedscan.server.begun import begun
from fedscan.server.coordinator import setup
from fedscan.server.coordinator.home import Home
from fedscan.server.coordinator.members import members
from fedscan.server.coordinator.orders import invitation_of
from fedscan.server.coordinator.overview import overview
from fedscan.server.coordinator.processes import processes
from fedscan.server.coordinator.proxy import proxy_configuration
from fedscan.server.coordinator.resuming import keep_approved_base
from fedscan.server.coordinator.setup import make_secret, renew_certificates
from fedscan.server.coordinator.studies import Outcome, State, find_study
from fedscan.server.event_log import EventLog
from fedscan.server.events import RoundStarted, SiteFinished
from fedscan.server.job import EVENTS, KEYS_ERASED, SEARCH
from fedscan.server.joint.search import Search
from fedscan.server.terms import study_at_site
from typer.testing import CliRunner

needs_nginx = pytest.mark.skipif(
    shutil.which("nginx", path="/usr/sbin:/usr/bin:/usr/local/sbin:/usr/local/bin") is None,
    reason="nginx is not installed",
)


def run(home: Home, command: str, *arguments: object) -> Result:
    texts = [str(argument) for argument in arguments]
    return CliRunner().invoke(app, ["coordinator", command, *texts, "--home", str(home.root)])


@pytest.fixture
def home(tmp_path: Path) -> Home:
    made = Home(tmp_path / "coordinator")
    result = run(made, "init", "--host", "fl.example.org", "--listen", "127.0.0.1")
    assert result.exit_code == 0, result.output
    return made


def enrol(home: Home, tmp_path: Path, name: str, expected: str | None = None) -> Result:
    request = tmp_path / "request.json"
    request.write_bytes(EnrolmentRequest.make(name, new_key(), new_key()).to_json())
    welcome = tmp_path / f"welcome-{name}.json"
    return run(home, "enrol", expected or name, "--request", request, "--out", welcome, "--yes")


def test_nobody_else_can_read_the_folder(home: Home) -> None:
    assert stat.S_IMODE(home.root.stat().st_mode) == 0o700
    for name in ("ca/ca.key", "server/server.key", "records/record.key", "run/superexec.secret"):
        assert stat.S_IMODE((home.root / name).stat().st_mode) == 0o600


def test_a_folder_is_never_written_over(home: Home) -> None:
    before = (home.root / "ca" / "ca.key").read_bytes()
    assert run(home, "init", "--host", "other.example.org").exit_code == 2
    assert (home.root / "ca" / "ca.key").read_bytes() == before


def test_only_certificates_about_to_expire_are_renewed(
    home: Home, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert renew_certificates(home) == []
    before = load_certificate(home.server / "server.crt")
    monkeypatch.setattr(setup, "_RENEWED_AT_DAYS", 400.0)
    assert renew_certificates(home) == ["server", "superlink"]
    after = load_certificate(home.server / "server.crt")
    assert after.serial_number != before.serial_number
    assert after.public_key() == before.public_key()


@pytest.mark.parametrize(
    "options",
    [
        ("--host", "https://fl.example.org"),
        ("--host", "fl.example.org:8443"),
        ("--host", ""),
        ("--host", "a", "--listen", "localhost; }"),
        ("--host", "a", "--port", "0"),
    ],
)
def test_what_cannot_be_an_address_is_refused(tmp_path: Path, options: tuple[str, ...]) -> None:
    assert run(Home(tmp_path / "coordinator"), "init", *options).exit_code == 2
    assert not (tmp_path / "coordinator").exists()


def test_another_folder_is_not_taken_for_a_coordinators(tmp_path: Path) -> None:
    result = run(Home(tmp_path), "status")
    assert result.exit_code == 2
    assert "fedscan coordinator init" in result.stderr


def test_a_welcome_holds_what_a_site_needs_and_no_key(home: Home, tmp_path: Path) -> None:
    assert enrol(home, tmp_path, "north").exit_code == 0
    content = (tmp_path / "welcome-north.json").read_bytes()
    welcome = Welcome.from_json(content)
    assert welcome.coordinator == "fl.example.org:8443"
    assert b"PRIVATE" not in content
    assert [member.site for member in members(home)] == ["north"]
    events = [entry.event for entry in AuditLog(home.audit).entries()]
    assert events == ["coordinator-created", "site-enrolled"]
    verify(home.audit)


def test_a_request_of_another_site_is_refused(home: Home, tmp_path: Path) -> None:
    result = enrol(home, tmp_path, "north", expected="south")
    assert result.exit_code == 10
    assert "'north'" in result.stderr
    assert members(home) == []


def test_a_revoked_site_is_no_member(home: Home, tmp_path: Path) -> None:
    enrol(home, tmp_path, "north")
    assert run(home, "revoke", "north").exit_code == 0
    assert members(home) == []
    assert run(home, "revoke", "north").exit_code == 10


@needs_nginx
def test_each_members_certificate_goes_with_its_own_node_key(home: Home, tmp_path: Path) -> None:
    for name in ("north", "south"):
        enrol(home, tmp_path, name)
    text = proxy_configuration(home, members(home))
    for name in ("north", "south"):
        serial = serial_text(load_certificate(home.sites / name / "client.crt").serial_number)
        own = read_public_text((home.sites / name / "node.pub").read_text())
        key = base64.b64encode(public_pem(own)).decode()
        assert text.count(f'"{serial}"') == 2
        assert text.count(f'"{serial}" "{key}";') == text.count(f'"{serial}" "{name}";') == 1


@needs_nginx
def test_starting_on_a_port_that_is_taken_says_so(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    from fedscan.server.coordinator import service

    monkeypatch.setattr(service, "_PORTS_FREE_S", 0.0)
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        port = taken.getsockname()[1]
        made = Home(tmp_path / "coordinator")
        options = ("--host", "127.0.0.1", "--listen", "127.0.0.1", "--port", port)
        assert run(made, "init", *options).exit_code == 0
        result = run(made, "start")
    assert result.exit_code == 10
    assert f"Port {port}" in result.stderr
    assert not overview(made).running


def submit(home: Home, *sets: str) -> Result:
    return run(home, "submit", *(part for one in sets for part in ("--set", one)))


def test_a_study_is_submitted_once_with_its_invitation(home: Home) -> None:
    assert submit(home, "name=lungs", "federation.rounds=3").exit_code == 0
    folder = find_study(home, "lungs")
    invitation = Invitation.from_json(folder.invitation.read_bytes())
    assert (invitation.name, invitation.rounds) == ("lungs", 3)
    assert folder.phase == "waiting"
    again = submit(home, "name=lungs")
    assert again.exit_code == 2
    assert "resume" in again.stderr
    assert folder.study.federation.rounds == 3


def test_the_folders_own_study_file_is_submitted_by_default(home: Home) -> None:
    text = home.study.read_text().replace('name = "study"', 'name = "mine"')
    home.study.write_text(text)
    assert submit(home).exit_code == 0
    assert find_study(home, "mine").study.name == "mine"


def test_a_name_that_is_no_folder_and_a_missing_base_are_refused(home: Home) -> None:
    assert submit(home, "name=../lungs").exit_code == 2
    assert submit(home, "name=lungs", "generator.base=/nowhere").exit_code == 6
    assert overview(home).studies == []


def test_orders_are_counted_and_only_fit_what_the_study_does(home: Home) -> None:
    submit(home, "name=lungs")
    folder = find_study(home, "lungs")
    assert run(home, "resume", "lungs").exit_code == 10
    assert run(home, "abort", "lungs").exit_code == 0
    assert (folder.order.number, folder.phase) == (2, "aborted")
    assert run(home, "abort", "lungs").exit_code == 10
    assert run(home, "resume", "lungs").exit_code == 0
    assert (folder.order.number, folder.phase) == (3, "waiting")
    folder.write(State(order=3, phase="failed", message="Round 2 ended with too few results."))
    shown = run(home, "status")
    assert "Round 2 ended" in shown.stdout
    assert run(home, "abort", "nothing").exit_code == 2


def test_a_study_goes_on_with_another_patience_and_nothing_else(home: Home) -> None:
    submit(home, "name=lungs", "federation.min_results=3")
    folder = find_study(home, "lungs")
    invitation = folder.invitation.read_bytes()
    run(home, "abort", "lungs")
    refused = run(home, "resume", "lungs", "--set", "local.steps=9")
    assert refused.exit_code == 2
    assert "local.steps is 9, not 6" in " ".join(refused.stderr.split())
    assert folder.phase == "aborted"
    patience = ("federation.min_results=2", "federation.round_timeout_s=7200")
    sets = [part for one in patience for part in ("--set", one)]
    assert run(home, "resume", "lungs", *sets).exit_code == 0
    federation = folder.study.federation
    assert (federation.min_results, federation.round_timeout_s) == (2, 7200.0)
    assert folder.phase == "waiting"
    # What the sites approved is the same.
    names = begun(folder.job.run, folder.study, folder.job.base)
    assert study_at_site(folder.study, names.base) == Invitation.from_json(invitation).digest


def test_a_study_that_was_submitted_to_an_earlier_release_keeps_its_name(home: Home) -> None:
    submit(home, "name=lungs")
    folder = find_study(home, "lungs")
    before = weights_digest(folder.job.base)
    write_atomically(folder.invitation, invitation_of(folder.study, before).to_json())
    keep_approved_base(folder)
    assert begun(folder.job.run, folder.study, folder.job.base).base == before


def test_a_damaged_file_is_named(home: Home) -> None:
    submit(home, "name=lungs")
    folder = find_study(home, "lungs")
    folder.write(Outcome(run=1, code="ok"))
    (folder.root / "state.json").write_text("{")
    result = run(home, "status")
    assert result.exit_code == 10
    assert "state.json is damaged" in result.stderr
    # Its hint: remove it, then abort and resume the study.
    (folder.root / "state.json").unlink()
    assert run(home, "abort", "lungs").exit_code == 0
    assert run(home, "resume", "lungs").exit_code == 0
    assert folder.phase == "waiting"


@needs_nginx
def test_what_a_backup_may_leave_out_is_made_again(home: Home) -> None:
    authority = home.authority.certificate_file.read_bytes()
    for folder in (home.run, home.logs, home.proxy, home.server, home.superlink):
        shutil.rmtree(folder)
    # What `coordinator start` does before it starts anything.
    make_secret(home)
    assert renew_certificates(home) == ["server", "superlink"]
    named = [Path(word) for spec in processes(home)[:2] for word in spec.command if "/" in word]
    assert len([path for path in named if path.is_relative_to(home.root)]) >= 6
    missing = [path.name for path in named if not path.exists()]
    assert missing == ["state.db"]
    assert home.authority.certificate_file.read_bytes() == authority


def test_a_second_study_of_equal_terms_is_refused_with_the_first_ones_name(home: Home) -> None:
    assert submit(home, "name=lungs").exit_code == 0
    # Neither the name nor the seed is a term: sites could not tell the two apart.
    again = submit(home, "name=lungs-again", "seed=7")
    assert again.exit_code == 2
    assert "'lungs' has the same terms" in " ".join(again.stderr.split())
    assert [study.study for study in overview(home).studies] == ["lungs"]
    # Both ways out that the hint names.
    assert submit(home, "name=longer", "federation.rounds=21").exit_code == 0
    words = ("--repeat", "--set", "name=lungs-repeated")
    assert run(home, "submit", *words).exit_code == 0


def test_status_names_who_refused_and_why_and_what_to_do(home: Home) -> None:
    submit(home, "name=lungs", "federation.min_results=1")
    folder = find_study(home, "lungs")
    folder.write(State(order=1, phase="running"))
    log = EventLog(folder.job.run / EVENTS)
    log(RoundStarted(round=1, rounds=2, sites=2, request="0" * 64))
    log(SiteFinished(round=1, site="north", code="ok", seconds=1.0))
    log(SiteFinished(round=1, site="south", code="privacy", seconds=1.0))
    (study,) = overview(home).studies
    assert study.message.startswith("Round 1 goes without south: privacy (its policy")
    assert "`fedscan site approve` there" in study.message
    assert "north" not in study.message


def test_status_names_who_may_spoil_sums_and_who_keeps_keys(home: Home) -> None:
    submit(home, "name=lungs")
    folder = find_study(home, "lungs")
    folder.write(State(order=1, phase="running"))
    search = Search(folder.job.run / SEARCH)
    search.begin(["north", "south", "west"])
    (study,) = overview(home).studies
    assert study.message.startswith("One of north, south, west spoils the sums")
    search.narrow([["north"]])
    (study,) = overview(home).studies
    assert study.message == "Asked no more, for every sum with them was wrong: north."
    (folder.job.run / SEARCH).write_text("damaged")
    (study,) = overview(home).studies
    assert "search.json is damaged" in study.message
    (folder.job.run / KEYS_ERASED).write_text(json.dumps({"north": "paused", "south": "ok"}))
    folder.write(State(order=1, phase="finished"))
    (study,) = overview(home).studies
    assert study.message.startswith("Its keys are kept at north (paused)")
