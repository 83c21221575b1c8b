"""The data steward's commands."""

from __future__ import annotations

from pathlib import Path

import pytest
from fedscan.cli.main import app
from fedscan.common.audit import AuditLog
from fedscan.config.study import load_study
from fedscan.federation.invitation import Invitation
from fedscan.federation.pki.keys import fingerprint
from fedscan.model.generator import build_generator
from fedscan.model.settings import GeneratorSettings
from fedscan.model.storage import generator_digest, save_generator
from fedscan.privacy.accounting import noise_multiplier_for
from fedscan.privacy.ledger import Ledger
from fedscan.privacy.mechanism import SubsampledGaussian
from fedscan.server.terms import site_terms
from typer.testing import CliRunner


@pytest.fixture(scope="module")
def base(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("base")
    save_generator(build_generator(GeneratorSettings(size="tiny")), folder)
    return folder


class Steward:
    """Somebody at a terminal with a site's home."""

    def __init__(self, folder: Path, base: Path) -> None:
        self.folder, self.home, self.base = folder, folder / "site", base
        (folder / "chest").mkdir()
        self.does("init", "north", "--base", base)
        self.does("add-data", "chest", "--folder", folder / "chest")

    def tries(self, *arguments: object, answer: str = "") -> tuple[int, str]:
        words = ["site", *map(str, arguments), "--home", str(self.home)]
        result = CliRunner().invoke(app, words, input=answer)
        return result.exit_code, result.output

    def does(self, *arguments: object, answer: str = "") -> str:
        status, text = self.tries(*arguments, answer=answer)
        assert status == 0, text
        return text

    def invitation(self, *changes: str) -> Path:
        study = load_study(None, ["data.image_size=32", "federation.rounds=5", *changes])
        path = self.folder / "lungs.invitation.json"
        invitation = Invitation(
            name="lungs", rounds=5, base=generator_digest(self.base), terms=site_terms(study)
        )
        path.write_bytes(invitation.to_json())
        return path


@pytest.fixture
def steward(tmp_path: Path, base: Path) -> Steward:
    return Steward(tmp_path, base)


def test_a_study_is_shown_in_plain_words_and_approved_when_the_steward_says_so(
    steward: Steward,
) -> None:
    invitation = steward.invitation("privacy.epsilon=3")
    shown = " ".join(steward.does("approve", invitation, answer="n\n").split())
    assert "lungs, 5 rounds" in shown
    assert "low-rank updates" in shown
    assert "epsilon 3 at delta 1e-05" in shown
    assert "has spent epsilon 0. With this study it will have spent at most 3 of the 8" in shown
    assert "Not approved" in shown
    assert "No study is approved" in steward.does("approve")
    assert "Approved: lungs" in steward.does("approve", invitation, answer="y\n")
    assert "Approved: lungs" in steward.does("status")


def test_a_studys_words_are_shown_and_a_change_of_them_is_another_study(steward: Steward) -> None:
    own = 'vocabulary.findings=[{word="chordoma", within="lesion", codes=["ICD10:C41.2"]}]'
    shown = " ".join(steward.does("approve", steward.invitation(own), answer="n\n").split())
    assert "nothing of it is copied" in shown
    assert "glioma" in shown
    assert "The study's own, and what selects them: chordoma (ICD10:C41.2)" in shown
    plain = " ".join(steward.does("approve", steward.invitation(), answer="n\n").split())
    assert "chordoma" not in plain
    few = " ".join(
        steward.does("approve", steward.invitation("vocabulary.start=few"), answer="n\n").split()
    )
    assert "They are few" in few
    digests = set()
    for changes in ((), (own,), ("vocabulary.start=few",)):
        invitation = Invitation.from_json(steward.invitation(*changes).read_bytes())
        digests.add(invitation.digest)
    assert len(digests) == 3


def test_an_approval_is_taken_back(steward: Steward) -> None:
    invitation = steward.invitation()
    steward.does("approve", invitation, "--yes")
    digest = Invitation.from_json(invitation.read_bytes()).digest
    steward.does("approve", digest[:12], "--withdraw")
    assert "No study is approved" in steward.does("status")


@pytest.mark.parametrize(
    ("changes", "status", "sentence"),
    [
        (("trainable.subset=all",), 5, "'all' is not among"),
        (("privacy.enabled=false", "warm_up.enabled=false"), 5, "no privacy"),
        (("privacy.clip_norm=50",), 5, "clip norm 50"),
    ],
)
def test_what_the_policy_forbids_cannot_be_approved(
    steward: Steward, changes: tuple[str, ...], status: int, sentence: str
) -> None:
    assert steward.tries("approve", steward.invitation(*changes), "--yes")[0] == status
    assert sentence in " ".join(
        steward.tries("approve", steward.invitation(*changes), "--yes")[1].split()
    )


def test_another_base_is_told(steward: Steward, tmp_path: Path) -> None:
    other = tmp_path / "other"
    generator = build_generator(GeneratorSettings(size="tiny"))
    next(generator.unet.parameters()).data.add_(1)
    save_generator(generator, other)
    status, text = steward.tries("approve", steward.invitation(), "--base", other)
    assert (status, "starts from base" in text) == (6, True)


def test_the_same_scans_are_not_added_twice(steward: Steward) -> None:
    (steward.folder / "chest" / "2020").mkdir()
    for folder in ("chest", "chest/2020"):
        status, text = steward.tries("add-data", "again", "--folder", steward.folder / folder)
        assert status == 3
        assert "in the data set 'chest' already" in " ".join(text.split())


def test_pausing_and_all_else_is_in_the_audit_log(steward: Steward) -> None:
    steward.does("pause")
    assert "is paused" in steward.does("status")
    steward.does("resume")
    assert "is paused" not in steward.does("status")
    assert "All 4 lines" in steward.does("audit", "--verify")
    shown = steward.does("audit")
    assert all(event in shown for event in ("site-created", "data-added", "paused", "resumed"))
    log = steward.home / "audit.jsonl"
    log.write_text(log.read_text().replace('"paused"', '"nothing"'))
    status, text = steward.tries("audit", "--verify")
    assert status == 5
    assert "Line 3 of the audit log was changed" in " ".join(text.split())


def test_nothing_spent_is_said(steward: Steward) -> None:
    assert "chest: nothing was spent" in steward.does("ledger")


def test_a_site_without_a_certificate_does_not_start(steward: Steward) -> None:
    status, text = steward.tries("start")
    assert status in (2, 10)
    assert "join" in text


@pytest.mark.parametrize("command", ["status", "audit", "approve", "start", "pause", "ledger"])
def test_where_there_is_no_site_that_is_said(tmp_path: Path, command: str) -> None:
    result = CliRunner().invoke(app, ["site", command, "--home", str(tmp_path)])
    assert result.exit_code == 2
    assert "fedscan site init" in result.output


def test_a_study_that_cannot_be_paid_for_is_not_approved_and_nothing_unspent_is_called_spent(
    steward: Steward,
) -> None:
    folder = steward.home / "data" / "chest" / "ledger"
    with Ledger.open(folder, "0" * 32, epsilon_ceiling=100.0, delta=1e-5) as ledger:
        noise = noise_multiplier_for(epsilon=8.0, delta=1e-5, sample_rate=1.0, steps=1)
        ledger.reserve("1" * 64, [SubsampledGaussian(1.0, noise, 1)], purpose="before")
        spent = ledger.spent().epsilon
    for arguments in (("--yes",), ("--yes", "--json"), ()):
        status, text = steward.tries("approve", steward.invitation(), *arguments, answer="y\n")
        assert status == 4
        assert f"has spent epsilon {spent:.4g} of its ceiling 8" in " ".join(text.split())
    assert "cannot be approved" in " ".join(text.split())
    assert "No study is approved" in steward.does("status")


def test_an_approval_is_taken_back_by_its_name(steward: Steward) -> None:
    steward.does("approve", steward.invitation(), "--yes")
    status, text = steward.tries("approve", "lung", "--withdraw")
    assert (status, "lungs (" in text) == (7, True)
    steward.does("approve", "lungs", "--withdraw")
    assert "No study is approved" in steward.does("status")


def test_the_audit_shows_a_key_by_its_fingerprint(steward: Steward) -> None:
    pem = "-----BEGIN PUBLIC KEY-----\nMHYw\n-----END PUBLIC KEY-----\n"
    AuditLog(steward.home / "audit.jsonl").append("welcome-taken", key=pem)
    shown = steward.does("audit")
    assert "BEGIN" not in shown
    assert fingerprint(pem.encode())[:20] in shown


def test_a_study_is_declined_with_a_reason_and_can_still_be_approved(steward: Steward) -> None:
    invitation = steward.invitation()
    assert steward.tries("decline", invitation, "--reason", " ")[0] == 2
    steward.does("decline", invitation, "--reason", "no ethics vote")
    shown = steward.does("status")
    assert "Declined: lungs" in shown
    assert "no ethics vote" in shown
    assert "Waits" not in shown
    steward.does("approve", "lungs", "--data", "chest", "--yes")
    assert "Declined" not in steward.does("status")
    status, text = steward.tries("decline", "lungs", "--reason", "after all not")
    assert (status, "--withdraw" in text or "names 0 studies" in text) == (7, True)


def test_evidence_is_written_and_a_change_of_it_is_found(
    steward: Steward, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("PATH", "/nowhere")  # a browser would print it, which takes seconds
    folder = steward.folder / "evidence"
    text = steward.does("evidence", "--out", folder)
    assert "No PDF" in text
    signer = next(word for word in text.split() if len(word) == 64)
    run = CliRunner()
    words = ["site", "verify-evidence", str(folder), "--signer", signer]
    assert run.invoke(app, words).exit_code == 0
    (folder / "evidence.html").write_bytes(b"<p>Nothing left.</p>")
    result = run.invoke(app, words)
    assert (result.exit_code, "evidence.html" in result.output) == (7, True)
