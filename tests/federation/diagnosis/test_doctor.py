"""``fedscan doctor`` on both sides of a real enrolment, with the coordinator's own proxy."""

from __future__ import annotations

import json
import shutil
import socket
import subprocess
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest
from fedscan.cli.main import app
from fedscan.client.border.counter_signature import check_counter_signature
from fedscan.client.steward.data_sets import DataSet, Registry
from fedscan.client.steward.enrolment import init_site, join
from fedscan.client.steward.home import SiteHome, SiteSettings
from fedscan.client.steward.status import StatusFile
from fedscan.common.signing import open_signing_key
from fedscan.errors import FederationError, LedgerError, SignatureError
from fedscan.federation.counter_signed import CounterSigned, LedgerMark
from fedscan.federation.pki.enrolment import Welcome
from fedscan.privacy.ledger import Ledger
from fedscan.privacy.ledger.view import LedgerView
from fedscan.privacy.mechanism import SubsampledGaussian
from fedscan.server.coordinator.counter_sign import HEADS, begin, counter_sign
from fedscan.server.coordinator.home import Addresses, Home
from fedscan.server.coordinator.members import enrol, members, revoke
from fedscan.server.coordinator.proxy import configuration_file, proxy_configuration
from fedscan.server.coordinator.record import write_record_key
from fedscan.server.coordinator.setup import create_home
from tiny_hospitals import write_hospitals
from typer.testing import CliRunner

NGINX = shutil.which("nginx", path="/usr/sbin:/usr/bin:/usr/local/sbin:/usr/local/bin")


def free_port() -> int:
    with socket.create_server(("127.0.0.1", 0)) as probe:
        return probe.getsockname()[1]


@pytest.fixture
def coordinator(tmp_path: Path) -> Home:
    addresses = Addresses(
        name="test",
        host="localhost",
        port=free_port(),
        listen="127.0.0.1",
        superlink_port=free_port(),
    )
    return create_home(tmp_path / "coordinator", addresses)


@pytest.fixture
def site(tmp_path: Path, coordinator: Home) -> SiteHome:
    """A member with one data set of which something was spent."""
    request = init_site(tmp_path / "site", SiteSettings(name="north"))
    welcome, _ = enrol(coordinator, "north", request.to_json())
    home = SiteHome.open(tmp_path / "site")
    join(home, Welcome.from_json(welcome.read_bytes()))
    write_hospitals(tmp_path, {"scans": 1}, images=1)
    Registry(home).add(DataSet(name="chest", folder=str(tmp_path / "scans")))
    mechanism = SubsampledGaussian(sample_rate=0.1, noise_multiplier=2.0, steps=5)
    with Ledger.open(
        home.state("chest") / "ledger", "ab" * 16, epsilon_ceiling=8, delta=1e-5
    ) as ledger:
        ledger.reserve("0" * 64, [mechanism], purpose="round 1")
    return home


@contextmanager
def proxy(home: Home) -> Iterator[None]:
    """Run the coordinator's own proxy, with no SuperLink behind it."""
    if NGINX is None:
        pytest.skip("needs nginx (Debian: nginx-light)")
    file = configuration_file(home)
    file.write_text(proxy_configuration(home, members(home)))
    with (home.logs / "proxy.log").open("wb") as log:
        words = [NGINX, "-p", str(home.proxy), "-c", str(file), "-e", "stderr"]
        process = subprocess.Popen(words, stdout=log, stderr=log)
    try:
        for _ in range(300):
            try:
                socket.create_connection(("127.0.0.1", home.addresses.port)).close()
                break
            except OSError:
                time.sleep(0.1)
        yield
    finally:
        process.terminate()
        process.wait(60)


def doctor(*words: str) -> tuple[int, dict[str, dict[str, str]]]:
    result = CliRunner().invoke(app, ["doctor", *words, "--json"])
    return result.exit_code, {found["check"]: found for found in json.loads(result.stdout)}


def test_a_site_looks_as_far_as_its_coordinator_lets_it(site, coordinator):
    with proxy(coordinator):
        status, found = doctor("--site", str(site.folder))
    # Nothing is behind this proxy, and that is the only thing that is wrong.
    problems = [name for name, finding in found.items() if finding["state"] == "problem"]
    assert problems == ["membership"], found
    assert "its server does not run just now" in found["membership"]["message"]
    assert status == 10
    assert "Both sides have fedscan" in found["versions"]["message"]
    assert "clocks differ" in found["clock"]["message"]
    assert "ledger is intact" in found["ledger of chest"]["message"]
    assert "1 file;" in found["data chest"]["message"]
    assert all(finding["hint"] for finding in found.values() if finding["state"] == "problem")


def test_a_revoked_site_is_told_so(site, coordinator):
    revoke(coordinator, "north")
    with proxy(coordinator):
        status, found = doctor("--site", str(site.folder))
    assert "does not accept this site's certificate" in found["membership"]["message"]
    assert status == 10


def test_a_key_that_was_not_enrolled_is_told_so(site, coordinator, tmp_path):
    init_site(tmp_path / "again", SiteSettings(name="north"))
    shutil.copy(tmp_path / "again" / "keys" / "node.key", site.node_key)
    with proxy(coordinator):
        _, found = doctor("--site", str(site.folder))
    assert "does not accept this site's node key" in found["membership"]["message"]


def test_each_member_gets_what_was_signed_of_its_own_ledgers(site, coordinator, tmp_path):
    view = LedgerView.read(site.state("chest") / "ledger")
    enrol(coordinator, "south", init_site(tmp_path / "s", SiteSettings(name="south")).to_json())
    counter_sign(coordinator, "south", LedgerMark("a" * 64, "b" * 64))
    with proxy(coordinator):
        # Nobody has begun to sign for it: a coordinator of an earlier release never does.
        assert check_counter_signature(site) is None
        assert not site.counter_signed.exists()
        begin(coordinator, "north")
        assert check_counter_signature(site).lines == {}
        assert site.counter_signed.exists()
        counter_sign(coordinator, "north", LedgerMark(view.name, view.head.digest))
        assert check_counter_signature(site).lines == {view.name: (view.head.digest,)}
        counter_sign(coordinator, "north", LedgerMark(view.name, "c" * 64))
        with pytest.raises(LedgerError, match="the ledger of chest lacks a line"):
            check_counter_signature(site)
    _, found = doctor("--site", str(site.folder))
    assert found["counter-signature"]["state"] == "problem"
    # A coordinator that was restored and has forgotten it does not make the site forget.
    (coordinator.sites / "north" / HEADS).unlink()
    begin(coordinator, "north")
    with proxy(coordinator), pytest.raises(LedgerError):
        check_counter_signature(site)


def test_what_another_key_signed_is_not_believed(site, coordinator):
    write_record_key(coordinator.root / "other.key")
    content = CounterSigned(site="north").sign(open_signing_key(coordinator.root / "other.key"))
    (coordinator.sites / "north" / HEADS).write_bytes(content)
    with proxy(coordinator), pytest.raises(SignatureError, match="another key"):
        check_counter_signature(site)
    assert not site.counter_signed.exists()


def test_the_doctor_tells_why_a_site_ended(site):
    _, found = doctor("--site", str(site.folder))
    assert found["daemon"]["state"] == "skipped"
    StatusFile(site).ended(FederationError("It is revoked.", hint="Ask the coordinator."))
    _, found = doctor("--site", str(site.folder))
    assert found["daemon"]["state"] == "warning"
    assert "It is revoked." in found["daemon"]["message"]
    assert found["daemon"]["hint"] == "Ask the coordinator."
    shown = CliRunner().invoke(app, ["site", "status", "--home", str(site.folder)]).output
    assert "It is revoked." in shown
    assert "Ask the coordinator." in shown
    StatusFile(site).stopped()
    _, found = doctor("--site", str(site.folder))
    assert found["daemon"]["state"] == "skipped"


def test_a_site_without_its_coordinator_sees_the_first_step_that_fails(site):
    status, found = doctor("--site", str(site.folder))
    assert status == 10
    assert "Nothing listens at localhost" in found["port"]["message"]
    assert "TLS" not in found
    site.change_settings(coordinator="fl.invalid:8443")
    _, found = doctor("--site", str(site.folder))
    assert "cannot be resolved" in found["name"]["message"]
    assert "port" not in found


def test_what_is_wrong_at_the_site_itself_is_found(site, tmp_path):
    site.policy.write_text("epsilon_ceiling = 'much'\n")
    lines = site.audit.read_bytes()
    site.audit.write_bytes(lines.replace(b"north", b"south", 1))
    next((tmp_path / "scans").iterdir()).write_bytes(b"no DICOM")
    ledger = site.state("chest") / "ledger" / "ledger.jsonl"
    ledger.write_bytes(ledger.read_bytes().replace(b"round 1", b"round 2"))
    site.tls_key.chmod(0o644)
    _, found = doctor("--site", str(site.folder))
    states = {name: finding["state"] for name, finding in found.items()}
    for check in ("policy", "audit log", "data chest", "ledger of chest", "TLS key"):
        assert states[check] == "problem", found[check]
    assert "not a DICOM file" in found["data chest"]["message"]


@pytest.mark.skipif(NGINX is None, reason="needs nginx (Debian: nginx-light)")
def test_a_coordinator_is_looked_at(site, coordinator):
    status, found = doctor("--coordinator", str(coordinator.root))
    assert status == 0, found
    assert "is not running" in found["service"]["message"]
    assert found["site north"]["state"] == "ok"
    assert "certificates revoked: 0" in found["revocations"]["message"]
    revoke(coordinator, "north")
    _, found = doctor("--coordinator", str(coordinator.root))
    assert "certificates revoked: 1" in found["revocations"]["message"]
    assert "It is revoked and cannot connect" in found["site north"]["message"]
    assert "fedscan site new-keys" in found["site north"]["hint"]
    coordinator.authority.revocation_file.write_text("no list")
    (coordinator.root / "ca" / "ca.key").chmod(0o644)
    (coordinator.superlink / "state.db").write_bytes(b"no database at all")
    status, found = doctor("--coordinator", str(coordinator.root))
    assert status == 10
    assert "is no list of revoked certificates" in found["revocations"]["message"]
    assert "Others can read" in found["ca.key"]["message"]
    assert "state.db is damaged" in found["SuperLink's state"]["message"]


def test_no_finding_names_a_patient(site):
    result = CliRunner().invoke(app, ["doctor", "--site", str(site.folder)])
    for secret in ("Doe", "Jane", "scans-0"):
        assert secret not in result.output


def test_the_side_must_be_said(tmp_path):
    runner = CliRunner()
    assert runner.invoke(app, ["doctor"]).exit_code == 2
    assert runner.invoke(app, ["doctor", "--site", str(tmp_path)]).exit_code == 2
    assert runner.invoke(app, ["doctor", "--coordinator", str(tmp_path)]).exit_code == 2


def test_what_is_typed_goes_before_the_environment(site, coordinator):
    both = {"FEDSCAN_SITE_HOME": site.folder, "FEDSCAN_COORDINATOR_HOME": coordinator.root}
    env = {name: str(folder) for name, folder in both.items()}
    runner = CliRunner(env=env)
    assert "Say which side" in runner.invoke(app, ["doctor"]).output
    shown = runner.invoke(app, ["doctor", "--site", str(site.folder)]).output
    assert "policy" in shown
    assert "nginx" not in shown
    assert "nginx" in runner.invoke(app, ["doctor", "--coordinator", str(coordinator.root)]).output
