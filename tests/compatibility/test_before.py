"""What an earlier commit wrote is opened, continued and repeated by today's code.

The files lie in ``before/``, whose README.md says how they were made. Where a result depends on
its last bits, bytes are compared with the software that made them, and numbers with any other.
"""

from __future__ import annotations

import hashlib
import json
import os
import platform
import shutil
import subprocess
import sys
import tomllib
import zipfile
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from fedscan import __version__
from fedscan.client.data.dataset import SiteDataset
from fedscan.client.policy import load_policy
from fedscan.client.steward.approvals import Approvals
from fedscan.client.steward.data_sets import Registry
from fedscan.client.steward.home import SiteHome
from fedscan.common.audit import AuditLog, verify
from fedscan.config.study import load_study, study_digest, study_to_toml
from fedscan.evaluation.readers.answers import AnswerBook
from fedscan.evaluation.readers.score import score_study
from fedscan.evaluation.readers.study import ReaderStudy
from fedscan.evaluation.report.results import RunResults
from fedscan.evaluation.results import read_examination
from fedscan.evaluation.section import Section
from fedscan.federation.bundle import build_bundle, bundle_hash
from fedscan.federation.invitation import Invitation
from fedscan.federation.pki import authority
from fedscan.federation.pki.certificates import load_certificate, require_issued_by
from fedscan.federation.pki.enrolment import EnrolmentRequest, Welcome
from fedscan.federation.pki.keys import public_text, read_private_key
from fedscan.federation.protocol import PROTOCOL_VERSION
from fedscan.imaging.writing.manifest import check_folder
from fedscan.model.sampling import sample
from fedscan.model.storage import load_generator, weights_digest
from fedscan.privacy.accounting import epsilon
from fedscan.privacy.ledger import Ledger
from fedscan.privacy.ledger.entries import Complete, Reserve
from fedscan.privacy.ledger.view import LedgerView
from fedscan.server.app import run_study
from fedscan.server.coordinator.home import Home
from fedscan.server.coordinator.overview import overview
from fedscan.server.coordinator.record import verify_record
from fedscan.server.coordinator.studies import find_study
from fedscan.server.event_log import EventLog
from fedscan.server.events import Event
from fedscan.server.history import History
from fedscan.server.job import ServerJob
from fedscan.simulation.apps import load_client_app
from fedscan.simulation.grid import InProcessGrid
from fedscan.simulation.run import SimulationResult, simulate
from safetensors.numpy import load_file

BEFORE = Path(__file__).parent / "before"
EXPECTED: dict[str, Any] = json.loads((BEFORE / "expected.json").read_text())
BASE = BEFORE / "generator"
SITES = ("north", "south")
LAST = Path("run/checkpoints/round-000003/state.safetensors")

#: A request is paid for by software; what repeats one must be the software that paid for it.
SAME_SOFTWARE = (EXPECTED["fedscan"], EXPECTED["torch"], EXPECTED["machine"]) == (
    __version__,
    torch.__version__,
    platform.machine(),
)
needs_same_software = pytest.mark.skipif(
    not SAME_SOFTWARE, reason="A payment is repeated only by the software that it was made with."
)


def ignore(event: Event) -> None:
    """Take no notice."""


def files_of(folder: Path) -> dict[str, bytes]:
    """Return the content of all files below a folder."""
    return {
        path.relative_to(folder).as_posix(): path.read_bytes()
        for path in folder.rglob("*")
        if path.is_file()
    }


def copied(source: Path, target: Path) -> Path:
    """Copy a folder, for its owner alone: git keeps neither modes nor times."""
    shutil.copytree(source, target, dirs_exist_ok=True)
    for path in (target, *target.rglob("*")):
        path.chmod(0o700 if path.is_dir() else 0o600)
    return target


@pytest.fixture
def scans(tmp_path: Path) -> Path:
    """The hospitals' scans, changed when the sites read them: payments and caches name it."""
    folder = copied(BEFORE / "scans", tmp_path / "scans")
    for path in folder.rglob("*.dcm"):
        os.utime(path, ns=(EXPECTED["scans_changed_ns"],) * 2)
    return folder


def paid(ledger: Path) -> list[str]:
    """Return what a ledger's budget was taken for."""
    entries = LedgerView.read(ledger).entries
    return [one.record.purpose for one in entries if isinstance(one.record, Reserve)]


def require_same_tensors(found: Path, expected: Path) -> None:
    """Compare two files of tensors."""
    if SAME_SOFTWARE:
        assert found.read_bytes() == expected.read_bytes()
    tensors, wanted = load_file(found), load_file(expected)
    assert tensors.keys() == wanted.keys()
    for name, value in wanted.items():
        np.testing.assert_allclose(tensors[name], value, rtol=1e-3, atol=1e-4, err_msg=name)


# Studies


@pytest.mark.parametrize("name", ["defaults", "private", "open"])
def test_a_study_has_the_same_values(name: str) -> None:
    file = BEFORE / "studies" / f"{name}.toml"
    study = load_study(file)
    assert study_digest(study) == EXPECTED["studies"][name]
    assert tomllib.loads(study_to_toml(study)) == tomllib.loads(file.read_text())


def test_the_defaults_are_the_same() -> None:
    # Studies asked for all of what a default policy allows in a data set's life, began with a
    # warm-up, and trained low-rank updates whatever they could learn.
    assert load_study(BEFORE / "studies" / "defaults.toml") == load_study(
        None,
        [
            "privacy.epsilon=8",
            "privacy.statistics_share=0.1",
            "warm_up.enabled=true",
            "trainable.subset=lora",
        ],
    )


# Generators


@pytest.fixture(autouse=True)
def _one_thread() -> None:
    """Bytes of images are those of one thread, whatever another test has set."""
    torch.set_num_threads(1)


def test_a_generator_draws_the_same_images() -> None:
    known = EXPECTED["generator"]
    assert weights_digest(BASE) == known["digest"]
    assert json.loads((BASE / "fedscan.json").read_text()) == known["card"]
    images = sample(load_generator(BASE), known["prompts"], **known["draw"])
    require_same_images(images)


def test_a_generator_opens_with_diffusers_alone() -> None:
    """In a process that has not imported fedscan, as the folder's own README.md says."""
    known = EXPECTED["generator"]
    done = subprocess.run(
        [sys.executable, "-c", _WITH_DIFFUSERS, str(BASE)],
        input=json.dumps([known["prompts"], known["draw"]]).encode(),
        capture_output=True,
        check=False,
        env=os.environ | {"OMP_NUM_THREADS": "1"},
    )
    assert done.returncode == 0, done.stderr.decode()
    images = np.frombuffer(done.stdout, np.float32)
    require_same_images(images.reshape(len(known["prompts"]), 32, 32))


_WITH_DIFFUSERS = """
import json, sys
from diffusers import DiffusionPipeline

prompts, draw = json.load(sys.stdin)
folder = sys.argv[1]
pipeline = DiffusionPipeline.from_pretrained(
    folder, custom_pipeline=folder, trust_remote_code=True
)
draw["num_inference_steps"] = draw.pop("steps")
sys.stdout.buffer.write(pipeline(prompts, **draw, output_type="np").images.tobytes())
"""


def require_same_images(images: np.ndarray) -> None:
    """Compare drawn images with those that the earlier commit drew."""
    if SAME_SOFTWARE:
        digests = [hashlib.sha256(image.tobytes()).hexdigest() for image in images]
        assert digests == EXPECTED["generator"]["images"]
    with np.load(BEFORE / "images.npz") as stored:
        np.testing.assert_allclose(images, stored["images"], atol=1e-3)


def test_generated_images_are_as_their_signed_manifest_says() -> None:
    checked = check_folder(BEFORE / "generated")
    assert checked.unlisted == ()
    assert len(checked.files) >= 1
    assert checked.generator == EXPECTED["generator"]["digest"]


# The bundle that coordinator and sites agree on


def test_the_bundle_is_the_same() -> None:
    """But for the versions of fedscan and of the protocol, where there are new ones."""
    stored = BEFORE / "bundle.fab"
    assert hashlib.sha256(stored.read_bytes()).hexdigest() == EXPECTED["bundle"]
    with zipfile.ZipFile(stored) as bundle:
        tools = tomllib.loads(bundle.read("pyproject.toml").decode())["tool"]
    if (__version__, PROTOCOL_VERSION) == (EXPECTED["fedscan"], tools["fedscan"]["protocol"]):
        assert build_bundle() == stored.read_bytes()
        assert bundle_hash() == EXPECTED["bundle"]
    assert tools["flwr"]["app"]["components"] == {
        "serverapp": "fedscan.server.coordinator.app:app",
        "clientapp": "fedscan.client.app:app",
    }


# Simulated runs


def without_later(content: Any, earlier: Any) -> Any:
    """Leave out what an earlier release did not write, which is nothing if it is not known."""
    if isinstance(content, list) and isinstance(earlier, list):
        return [without_later(*pair) for pair in zip(content, earlier, strict=True)]
    if not isinstance(content, dict) or not isinstance(earlier, dict):
        return content
    assert not any(content[key] for key in content.keys() - earlier.keys())
    return {key: without_later(content[key], earlier.get(key)) for key in content if key in earlier}


@pytest.mark.parametrize("name", ["private", "open"])
def test_a_finished_runs_files_can_be_read(name: str) -> None:
    folder = BEFORE / name / "finished"
    stored = json.loads((folder / "results.json").read_text())
    results = RunResults.from_dict(stored)
    assert without_later(results.to_dict(), stored) == stored
    assert results.evaluation is not None
    assert results.study_digest == study_digest(load_study(folder / "study.toml"))
    history = History(folder / "run" / "history.jsonl").entries()
    assert [(one.round, one.site, one.code) for one in history] == [
        (number, site, "ok") for number in (1, 2, 3) for site in SITES
    ]
    assert [one.update_norm for one in history] == [one.update_norm for one in results.rounds]
    events = EventLog(folder / "run" / "events.jsonl").entries()
    assert events[-1]["event"] == "GeneratorSaved"


def go_on(scans: Path, out: Path) -> SimulationResult:
    """Continue a run from its first round's checkpoint."""
    study = load_study(out / "study.toml", [f"generator.base={BASE}"])
    before = (out / "run" / "history.jsonl").read_text()
    result = simulate(study, scans, out, resume=True, workers=1, evaluate=False, progress=ignore)
    assert (out / "run" / "history.jsonl").read_text().startswith(before)
    assert [one.round for one in result.results.rounds] == [1, 1, 2, 2, 3, 3]
    assert {one.code for one in result.results.rounds} == {"ok"}
    return result


def test_a_half_run_without_privacy_ends_with_the_same_generator(
    scans: Path, tmp_path: Path
) -> None:
    out = copied(BEFORE / "open" / "half", tmp_path / "out")
    result = go_on(scans, out)
    require_same_tensors(out / LAST, BEFORE / "open" / "finished" / LAST)
    require_same_norms(result, BEFORE / "open" / "finished")
    if SAME_SOFTWARE:
        assert weights_digest(result.generator) == EXPECTED["open"]["generator"]


def test_a_half_private_run_goes_on_and_pays_for_nothing_twice(scans: Path, tmp_path: Path) -> None:
    out = copied(BEFORE / "private" / "half", tmp_path / "out")
    first = ["statistics", "patient count", "round 1"]
    before = {site: LedgerView.read(out / "sites" / site / "ledger").head for site in SITES}
    go_on(scans, out)
    for site in SITES:
        ledger = out / "sites" / site / "ledger"
        assert paid(ledger) == [*first, "round 2", "round 3"]
        LedgerView.read(ledger, expected_head=before[site])
    assert all(np.isfinite(value).all() for value in load_file(out / LAST).values())


@needs_same_software
def test_a_half_private_run_with_the_finished_ledgers_ends_with_the_same_generator(
    scans: Path, tmp_path: Path
) -> None:
    """The secrets of rounds 2 and 3 are there: a site repeats both, to the byte, at no cost."""
    finished = BEFORE / "private" / "finished"
    out = copied(BEFORE / "private" / "half", tmp_path / "out")
    for site in SITES:
        shutil.rmtree(out / "sites" / site / "ledger")
    copied(finished / "sites", out / "sites")
    result = go_on(scans, out)
    assert weights_digest(result.generator) == EXPECTED["private"]["generator"]
    require_same_tensors(out / LAST, finished / LAST)
    require_same_norms(result, finished)
    for site in SITES:
        lines = (out / "sites" / site / "ledger" / "ledger.jsonl").read_bytes()
        assert lines == (finished / "sites" / site / "ledger" / "ledger.jsonl").read_bytes()


def require_same_norms(result: SimulationResult, finished: Path) -> None:
    """Compare the sizes and directions of all updates with those on record."""
    known = History(finished / "run" / "history.jsonl").entries()
    for one, other in zip(result.results.rounds, known, strict=True):
        assert one.site == other.site
        assert one.update_norm == pytest.approx(other.update_norm, rel=1e-3)
        assert one.cosine == pytest.approx(other.cosine, abs=1e-3)
        assert (one.bytes_sent, one.bytes_received) == (other.bytes_sent, other.bytes_received)


# A site


@pytest.fixture
def site(scans: Path, tmp_path: Path) -> SiteHome:
    """The site's home, with its data and base where they are now."""
    home = copied(BEFORE / "site", tmp_path / "site")
    copied(BASE, tmp_path / "generator")
    moved(home, tmp_path)
    return SiteHome.open(home)


def moved(folder: Path, root: Path) -> None:
    """Replace the path below which the homes were made, in the settings of one."""
    for path in folder.rglob("*.toml"):
        path.write_text(path.read_text().replace(EXPECTED["work"], str(root)))


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


# A coordinator


@pytest.fixture
def coordinator(tmp_path: Path) -> Home:
    """The coordinator's home, with the studies' base where it is now."""
    home = copied(BEFORE / "coordinator", tmp_path / "coordinator")
    moved(home, tmp_path)
    return Home(home)


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


# What was found out about a generator


def assert_says_all(today: Any, before: Any) -> None:
    """Check that a document holds every key and value of an earlier one; it may say more."""
    if isinstance(before, dict):
        assert before.keys() <= today.keys()
        for key, value in before.items():
            assert_says_all(today[key], value)
    elif isinstance(before, list):
        assert len(today) == len(before)
        for one, other in zip(today, before, strict=True):
            assert_says_all(one, other)
    else:
        assert today == before


def test_an_examination_can_be_read() -> None:
    folder = BEFORE / "examination"
    found = read_examination(folder)
    assert_says_all(found.to_dict(), json.loads((folder / "examination.json").read_text()))
    assert found.generator == EXPECTED["private"]["generator"]
    assert found.gate is not None
    assert found.gate.passed
    (section,) = found.sections
    kept = json.loads((folder / "sections" / f"{section.key}.json").read_text())
    assert Section.from_dict(kept["section"]) == section
    assert any(measure.value is not None for measure in section.measures)


def test_a_reader_study_can_be_scored() -> None:
    folder = BEFORE / "reader-study"
    opened = ReaderStudy.open(folder)
    assert sorted(opened.key().values()) == [False, False, True, True]
    assert all(opened.image(item).startswith(b"\x89PNG") for item in opened.order("ann"))
    book = AnswerBook(opened)
    assert book.readers() == ("ann", "bob")
    assert {one.rating for one in book.of("bob").values()} == {3}
    stored = Section.from_dict(json.loads((folder / "scores.json").read_text()))
    found = score_study(opened)
    assert [one.name for one in found.measures] == [one.name for one in stored.measures]
    for one, other in zip(found.measures, stored.measures, strict=True):
        assert one.value == pytest.approx(other.value)
