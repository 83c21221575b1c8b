"""The home of a site and of a coordinator of an earlier commit are opened, and repeat a round."""

from __future__ import annotations

import json
import shutil
from datetime import datetime, timedelta
from pathlib import Path

import pytest
from fedscan.client.data.dataset import SiteDataset
from fedscan.client.policy import load_policy
from fedscan.client.steward.approvals import Approvals
from fedscan.client.steward.data_sets import Registry
from fedscan.client.steward.home import SiteHome
from fedscan.common.audit import AuditLog, verify
from fedscan.config.study import load_study
from fedscan.federation.invitation import Invitation
from fedscan.federation.pki import authority
from fedscan.federation.pki.certificates import load_certificate, require_issued_by
from fedscan.federation.pki.enrolment import EnrolmentRequest, Welcome
from fedscan.federation.pki.keys import public_text, read_private_key
from fedscan.model.storage import weights_digest
from fedscan.privacy.accounting import epsilon
from fedscan.privacy.ledger import Ledger
from fedscan.privacy.ledger.entries import Complete, Reserve
from fedscan.privacy.ledger.view import LedgerView
from fedscan.server.app import run_study
from fedscan.server.coordinator.home import Home
from fedscan.server.coordinator.overview import overview
from fedscan.server.coordinator.record import verify_record
from fedscan.server.coordinator.studies import find_study
from fedscan.server.history import History
from fedscan.server.job import ServerJob
from fedscan.simulation.apps import load_client_app
from fedscan.simulation.grid import InProcessGrid
from written_before import BASE, BEFORE, EXPECTED, files_of, ignore, needs_same_software, paid


def test_a_sites_settings_policy_and_approvals_can_be_read(site: SiteHome, scans: Path) -> None:
    settings, policy = site.settings(), load_policy(site.policy)
    assert (settings.name, settings.device) == ("north", "cpu")
    assert Path(settings.base) == site.folder.parent / "generator"
    assert (policy.min_patients, policy.epsilon_ceiling, policy.cpu_threads) == (1, 50.0, 1)
    (data_set,) = Registry(site).data_sets().values()
    assert (data_set.name, data_set.kind) == ("chest", "folder")
    assert Path(data_set.folder) == scans / "north"
    digests = EXPECTED["federation"]["studies"]
    approved = {one.name: (one.study, one.data) for one in Approvals(site).all()}
    assert approved == {name: (digests[name], "chest") for name in ("lungs", "later")}
    (waiting,) = Approvals(site).pending()
    assert (waiting.name, waiting.digest) == ("asked", digests["asked"])


def test_a_sites_keys_fit_its_request_and_its_certificate(site: SiteHome) -> None:
    request = EnrolmentRequest.from_json(site.request.read_bytes())
    certificate = load_certificate(site.certificate)
    require_issued_by(certificate, load_certificate(site.authority))
    tls = read_private_key(site.tls_key).public_key()
    assert certificate.public_key() == tls == request.public_key()
    assert public_text(read_private_key(site.node_key).public_key()) == request.node_key
    assert request.site == "north"


def test_a_sites_ledger_and_audit_log_are_whole(site: SiteHome) -> None:
    state = site.state("chest")
    view = LedgerView.read(state / "ledger")
    assert paid(state / "ledger") == ["patient count", "round 1", "round 2"]
    policy = load_policy(site.policy)
    recorded = view.entries[-2].record
    assert isinstance(view.entries[-1].record, Complete)
    assert isinstance(recorded, Reserve)
    assert recorded.study == EXPECTED["federation"]["studies"]["lungs"]
    assert epsilon(view.book.mechanisms(), policy.delta) == pytest.approx(recorded.epsilon)
    name = json.loads((state / "dataset.json").read_text())["name"]
    with Ledger.open(
        state / "ledger", name, epsilon_ceiling=policy.epsilon_ceiling, delta=policy.delta
    ) as ledger:
        assert ledger.verify(view.head) == view.head
    events = [one.event for one in AuditLog(site.audit).entries()]
    assert events[:2] == ["site-created", "welcome-taken"]
    assert events.count("study-approved") == 2
    assert events.count("answered") == 2
    assert verify(site.audit).length == len(events)
    AuditLog(site.audit).append("site-resumed")
    assert verify(site.audit).length == len(events) + 1


def test_a_sites_cache_is_no_obstacle(site: SiteHome, scans: Path) -> None:
    state = site.state("chest")
    study = load_study(BEFORE / "coordinator" / "studies" / "lungs" / "study.toml")
    before = {path: path.stat().st_mtime_ns for path in state.rglob("*.safetensors")}
    assert len(before) > 6
    opened = SiteDataset.open(scans / "north", study.data, state / "cache", state_dir=state)
    assert len(opened.patients) == 6
    assert len(opened.train_patients) == 3
    # Images are made anew, since they are made better; what was there stays as it was.
    after = {path: path.stat().st_mtime_ns for path in state.rglob("*.safetensors")}
    assert before.items() <= after.items()
    example = opened.examples(opened.patients[0])[0]
    assert example.image.shape == (32, 32)
    assert example.description.caption()


def test_a_coordinators_members_and_certificates_can_be_read(
    coordinator: Home, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert coordinator.addresses.host == "127.0.0.1"
    entries = coordinator.authority.issued()
    assert [(one.site, bool(one.revoked)) for one in entries] == [("north", False), ("south", True)]
    # Long after the certificates have expired, as on the day after they were issued.
    issued = datetime.fromisoformat(entries[0].expires) - timedelta(days=396)
    monkeypatch.setattr(authority, "now", lambda: issued)
    view = overview(coordinator)
    assert [one.site for one in view.sites] == ["north"]
    trusted = load_certificate(coordinator.authority.certificate_file)
    for path in ("server/server.crt", "superlink/superlink.crt", "sites/north/client.crt"):
        require_issued_by(load_certificate(coordinator.root / path), trusted)
    welcome = Welcome.from_json((coordinator.sites / "north/welcome-north.json").read_bytes())
    assert welcome.coordinator == coordinator.addresses.public
    coordinator.authority.revoke("north")
    assert all(one.revoked for one in coordinator.authority.issued())


def test_a_coordinators_studies_can_be_read(coordinator: Home) -> None:
    digests = EXPECTED["federation"]["studies"]
    phases = {"lungs": "finished", "later": "waiting", "asked": "waiting"}
    assert {one.study: one.phase for one in overview(coordinator).studies} == phases
    for name, digest in digests.items():
        folder = find_study(coordinator, name)
        invitation = Invitation.from_json(folder.invitation.read_bytes())
        assert (invitation.name, invitation.digest) == (name, digest)
        assert invitation.base == EXPECTED["generator"]["digest"]
        assert folder.order.action == "run"
        assert folder.study.federation.rounds == invitation.rounds
    lungs = find_study(coordinator, "lungs")
    assert (lungs.outcome.code, lungs.state.attempts, lungs.finished_round) == ("ok", 1, 2)
    events = [one.event for one in AuditLog(coordinator.audit).entries()]
    assert events.count("site-enrolled") == 2
    assert verify(coordinator.audit).length == len(events)


def test_a_studys_signed_record_still_holds(coordinator: Home) -> None:
    file = find_study(coordinator, "lungs").record
    public = coordinator.record_key.with_suffix(".pub").read_text()
    record = verify_record(file.read_bytes(), public, None)
    assert record["generator"] == EXPECTED["federation"]["generator"]
    assert record["bundle"] == EXPECTED["bundle"]
    assert record["contributors"] == ["north"]
    assert record["approved"] == EXPECTED["federation"]["studies"]["lungs"]


@needs_same_software
def test_a_coordinator_and_a_site_repeat_a_round_to_the_byte(
    site: SiteHome, coordinator: Home, tmp_path: Path
) -> None:
    """The coordinator has lost its last round; the site finds it in its ledger."""
    job = find_study(coordinator, "lungs").job
    last = job.run / "checkpoints" / "round-000002"
    expected = files_of(last)
    shutil.rmtree(last)
    ledger = site.state("chest") / "ledger" / "ledger.jsonl"
    lines, entries = ledger.read_bytes(), len(AuditLog(site.audit).entries())
    with InProcessGrid(load_client_app, [{"home": str(site.folder)}]) as grid:
        run_study(grid, here(job, tmp_path), ignore)
    written = files_of(last)
    assert written.keys() == expected.keys()
    assert written["state.safetensors"] == expected["state.safetensors"]
    # The name of the study does not depend on patience any more.
    about, before = (json.loads(one["checkpoint.json"]) for one in (written, expected))
    assert about | {"study": ""} == before | {"study": ""}
    assert weights_digest(tmp_path / "made") == EXPECTED["federation"]["generator"]
    assert ledger.read_bytes() == lines
    # Besides the answers: the policy, which was edited before such edits were put on record.
    events = [entry.event for entry in AuditLog(site.audit).entries()][entries:]
    assert sorted(events) == ["answered", "asked", "policy-changed"]
    assert [one.code for one in History(job.run / "history.jsonl").entries()] == ["ok", "ok"]


def here(job: ServerJob, root: Path) -> ServerJob:
    """Return a study's job with its result below ``root``."""
    return ServerJob(study=job.study, base=BASE, run=job.run, generator=root / "made", resume=True)
