"""The evidence says what the record says, is signed, and any change to it is found."""

from __future__ import annotations

import json
import re
import shutil
from collections.abc import Callable
from pathlib import Path

import pytest
from axe import violations
from browser import CUT_OFF, Browser, needs_chromium
from fedscan.client.evidence import write
from fedscan.client.evidence.write import PAGE, PDF, SIGNED, verify_evidence, write_evidence
from fedscan.client.steward.approvals import Approvals
from fedscan.client.steward.home import SiteHome
from fedscan.client.steward.opt_outs import add_opt_outs
from fedscan.common.audit import AuditHead, verify
from fedscan.errors import AuditError, ConfigurationError, SignatureError
from fedscan.federation.protocol import RoundReply, RoundRequest
from site_homes import invitation_of

EXAMINATION = {
    "name": "heads",
    "generator": "ab" * 32,
    "sections": [
        {
            "title": "Does it remember patients?",
            "summary": "No more than new ones.",
            "measures": [
                {
                    "title": "Members told by their loss",
                    "value": 0.51,
                    "low": 0.45,
                    "high": 0.57,
                    "unit": "",
                    "better": "lower",
                    "inconclusive": False,
                }
            ],
        }
    ],
    "gate": {"name": "ours", "lines": [{"passed": True}, {"passed": False}]},
}


@pytest.fixture
def busy_home(
    home: SiteHome, make_request: Callable[..., RoundRequest], ask: Callable[..., RoundReply]
) -> SiteHome:
    """A home that has answered one round and refused another."""
    request = make_request()
    Approvals(home).approve(invitation_of(request, "lungs"), "chest")
    assert ask(request).code == "ok"
    assert ask(make_request("local.steps=2")).code == "not-approved"
    add_opt_outs(home, ["PATIENT-77"])
    return home


@pytest.fixture
def without_browser(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PATH", "/nowhere")


@pytest.mark.usefixtures("without_browser")
def test_it_says_what_the_record_says_and_names_no_patient_or_file(
    busy_home: SiteHome, tmp_path: Path
) -> None:
    folder = tmp_path / "evidence"
    result = write_evidence(busy_home, folder, EXAMINATION)
    page = (folder / PAGE).read_text("utf-8")
    facts = verify_evidence(folder, result.signer)["facts"]
    answered = [one for one in busy_home.log.entries() if one.event == "answered"]
    assert [one["request"] for one in facts["gate"]["departures"]] == [
        one.facts["request"] for one in answered
    ]
    listed = [
        [t["name"], t["type"], t["shape"], t["sha256"]]
        for t in facts["gate"]["departures"][0]["tensors"]
    ]
    assert listed == answered[0].facts["tensors"]
    assert facts["gate"]["refusals"] == {"not-approved": 1}
    assert facts["budgets"]["chest"]["spending"] > 0
    assert facts["budgets"]["chest"]["head"] in page
    assert facts["opt_outs"] == 1
    for text in (
        "study approved",
        "not-approved",
        "epsilon_ceiling",
        "3.3.07",
        "E2.c",
        "1 of 2 lines",
    ):
        assert text in page
    everything = page + (folder / SIGNED).read_text("utf-8")
    for secret in ("PATIENT-77", str(tmp_path), str(busy_home.folder)):
        assert secret not in everything
    assert "<script" not in page
    # Commands that are named stand as such, without the marks of plain text.
    assert "<code>fedscan site opt-out check</code>" in page
    assert "`" not in page
    # What it notes of the audit log finds a log that is rewritten later.
    assert verify(busy_home.audit, AuditHead.parse(facts["audit_head"])).length > len(answered)
    assert busy_home.log.entries()[-1].event == "evidence-written"


@pytest.mark.usefixtures("without_browser")
@pytest.mark.parametrize("change", ["page", "facts", "added", "removed", "signer", "other-key"])
def test_whatever_is_changed_is_found(home: SiteHome, tmp_path: Path, change: str) -> None:
    folder = tmp_path / "evidence"
    signer = write_evidence(home, folder).signer
    # As people read it to each other: in groups, in capitals.
    spoken = " ".join(re.findall("....", signer)).upper()
    assert verify_evidence(folder, spoken)["signer"] == signer
    match change:
        case "page":
            page = (folder / PAGE).read_text("utf-8")
            (folder / PAGE).write_text(page.replace("Nothing left yet", "Nothing left"), "utf-8")
        case "facts":
            document = json.loads((folder / SIGNED).read_bytes())
            document["content"]["facts"]["opt_outs"] = 5
            (folder / SIGNED).write_text(json.dumps(document))
        case "added":
            (folder / PDF).write_bytes(b"%PDF-1.7 another")
        case "removed":
            (folder / PAGE).unlink()
        case "signer":
            signer = "0" * 64
        case "other-key":
            home.evidence_key.unlink()
            shutil.rmtree(folder)
            write_evidence(home, folder)
    with pytest.raises(SignatureError):
        verify_evidence(folder, signer)


@pytest.mark.usefixtures("without_browser")
def test_there_is_no_evidence_of_a_record_that_was_changed(
    busy_home: SiteHome, tmp_path: Path
) -> None:
    busy_home.audit.write_bytes(busy_home.audit.read_bytes().replace(b"lungs", b"heads"))
    busy_home.audit.write_bytes(busy_home.audit.read_bytes().replace(b"chest", b"chess"))
    with pytest.raises(AuditError):
        write_evidence(busy_home, tmp_path / "evidence")
    assert not (tmp_path / "evidence" / SIGNED).exists()


@pytest.mark.usefixtures("without_browser")
def test_it_is_not_written_over(home: SiteHome, tmp_path: Path) -> None:
    write_evidence(home, tmp_path / "evidence")
    with pytest.raises(ConfigurationError):
        write_evidence(home, tmp_path / "evidence")
    with pytest.raises(SignatureError):
        verify_evidence(tmp_path / "nothing")


@needs_chromium
def test_with_a_browser_there_is_a_pdf_that_is_signed_too(home: SiteHome, tmp_path: Path) -> None:
    result = write_evidence(home, tmp_path / "evidence")
    assert set(result.files) == {PAGE, PDF}
    content = (tmp_path / "evidence" / PDF).read_bytes()
    assert content.startswith(b"%PDF-")
    (tmp_path / "evidence" / PDF).write_bytes(content + b"\n")
    with pytest.raises(SignatureError, match=PDF):
        verify_evidence(tmp_path / "evidence")


def test_a_browser_that_fails_leaves_a_page_and_no_pdf(
    home: SiteHome, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    broken = tmp_path / "bin" / "chromium"
    broken.parent.mkdir()
    broken.write_text("#!/bin/sh\nexit 1\n")
    broken.chmod(0o755)
    monkeypatch.setenv("PATH", f"{broken.parent}:/bin:/usr/bin")
    assert set(write.write_evidence(home, tmp_path / "evidence").files) == {PAGE}


@needs_chromium
@pytest.mark.parametrize("scheme", ["light", "dark"])
@pytest.mark.parametrize("width", [1300, 400])
def test_axe_finds_nothing_and_nothing_is_cut_off(
    busy_home: SiteHome, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, width: int, scheme: str
) -> None:
    with monkeypatch.context() as context:
        context.setenv("PATH", "/nowhere")
        write_evidence(busy_home, tmp_path / "evidence", EXAMINATION)
    browser = Browser(tmp_path / "profile")
    try:
        browser.window(width, scheme)
        browser.open((tmp_path / "evidence" / PAGE).as_uri())
        browser.until("document.readyState === 'complete' && document.querySelector('h1') !== null")
        assert violations(browser) == []
        assert browser.value(CUT_OFF) == []
    finally:
        browser.stop()
