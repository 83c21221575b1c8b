"""An answer is paid for once: whatever happens to files, threads and secrets in between."""

from __future__ import annotations

import os
import shutil
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from fedscan.client.answers import round as site_round
from fedscan.client.data.patient_file import PatientFile
from fedscan.client.policy import write_policy
from fedscan.client.steward.approvals import Approvals
from fedscan.client.steward.home import SiteHome
from fedscan.common.audit import AuditLog
from fedscan.federation.protocol import RoundReply, RoundRequest, tensors_digest
from pydicom import dcmread
from pydicom.uid import generate_uid
from site_homes import OPEN, begin_anew, invitation_of, purposes

Ask = Callable[..., RoundReply]
Make = Callable[..., RoundRequest]


def scans(home: SiteHome) -> list[Path]:
    return sorted((home.folder.parent / "scans" / "chest").rglob("*.dcm"))


@pytest.fixture
def approved(home: SiteHome, make_request: Make) -> Make:
    """Make requests of a study that the site has approved."""
    write_policy(home.policy, replace(OPEN, epsilon_ceiling=100.0))
    Approvals(home).approve(invitation_of(make_request()), "chest")
    return make_request


@pytest.fixture
def other_sums(monkeypatch: pytest.MonkeyPatch) -> Callable[[], None]:
    """Let training from now on differ in its last bits, as on another machine."""
    train = site_round.run_private_steps

    def differ() -> None:
        def rounded_otherwise(*arguments: object, **options: object) -> object:
            result = train(*arguments, **options)
            for value in result.tensors.values():
                value.mul_(1 + 1e-6)
            return result

        monkeypatch.setattr(site_round, "run_private_steps", rounded_otherwise)

    return differ


def test_a_repeated_answer_is_the_same_on_a_machine_that_sums_otherwise(
    home: SiteHome, approved: Make, ask: Ask, other_sums: Callable[[], None]
) -> None:
    first = ask(approved())
    begin_anew()
    other_sums()
    again = ask(approved())
    assert (first.code, again.code) == ("ok", "ok")
    assert tensors_digest(first.tensors) == tensors_digest(again.tensors)
    assert purposes(home) == ["patient count", "round 1"]


def test_a_lost_answer_that_cannot_be_made_again_is_a_new_announced_attempt(
    home: SiteHome, approved: Make, ask: Ask, other_sums: Callable[[], None]
) -> None:
    first = ask(approved())
    shutil.rmtree(home.state("chest") / "answers")
    begin_anew()
    other_sums()
    second = ask(approved())
    assert second.code == "ok"
    assert tensors_digest(second.tensors) != tensors_digest(first.tensors)
    assert purposes(home) == ["patient count", "round 1", "round 1 attempt 2"]
    announced = [one for one in AuditLog(home.audit).entries() if one.event == "paid-again"]
    assert [one.facts["purpose"] for one in announced] == ["round 1 attempt 2"]
    # It is kept, too, and the study has no more answers than it was approved for.
    assert tensors_digest(ask(approved()).tensors) == tensors_digest(second.tensors)
    assert ask(approved(number=2)).code == "budget-exceeded"
    assert len(purposes(home)) == 3


def test_an_answer_whose_secret_is_erased_is_sent_again_from_what_was_kept(
    home: SiteHome, ask: Ask, make_request: Make
) -> None:
    def make(number: int) -> RoundRequest:
        return make_request("federation.rounds=7", number=number, fill=number / 100)

    Approvals(home).approve(invitation_of(make(1)), "chest")
    first = ask(make(1))
    kept = home.state("chest") / "answers"
    shutil.copytree(kept, home.folder.parent / "copy")
    for number in range(2, 7):
        assert ask(make(number)).code == "ok"
    # Neither kept nor repeatable: a new attempt, not the end of the study.
    assert ask(make(1)).code == "ok"
    assert purposes(home)[-1] == "round 1 attempt 2"
    shutil.rmtree(kept)
    shutil.copytree(home.folder.parent / "copy", kept)
    assert tensors_digest(ask(make(1)).tensors) == tensors_digest(first.tensors)
    assert purposes(home)[-1] == "round 1 attempt 2"


def test_touched_files_cost_nothing(home: SiteHome, approved: Make, ask: Ask) -> None:
    first = ask(approved())
    shutil.rmtree(home.state("chest") / "answers")
    for file in scans(home):
        os.utime(file)
    begin_anew()
    assert tensors_digest(ask(approved()).tensors) == tensors_digest(first.tensors)
    assert purposes(home) == ["patient count", "round 1"]


def test_a_new_patient_waits_for_the_next_study(
    home: SiteHome, approved: Make, ask: Ask, make_request: Make
) -> None:
    first = ask(approved())
    shutil.rmtree(home.state("chest") / "answers")
    add_patient(home)
    begin_anew()
    assert tensors_digest(ask(approved()).tensors) == tensors_digest(first.tensors)
    assert ask(approved(number=2)).code == "ok"
    assert purposes(home) == ["patient count", "round 1", "round 2"]
    assert patients_of(home, approved().study()) == 4
    following = make_request("local.steps=2")
    Approvals(home).approve(invitation_of(following, "next"), "chest")
    assert ask(following).code == "ok"
    assert patients_of(home, following.study()) == 5


def test_other_pixels_of_the_same_size_and_time_are_noticed_and_wait(
    home: SiteHome, approved: Make, ask: Ask, make_request: Make
) -> None:
    ask(approved())
    before = contents_of(home, approved().study())
    change_pixels(scans(home)[0])
    begin_anew()
    assert ask(approved(number=2)).code == "ok"
    assert contents_of(home, approved().study()) == before
    following = make_request("local.steps=2")
    Approvals(home).approve(invitation_of(following, "next"), "chest")
    assert ask(following).code == "ok"
    changed = contents_of(home, following.study())
    assert changed.keys() == before.keys()
    assert sum(changed[key] != before[key] for key in before) == 1


def test_a_patient_whose_scans_are_gone_leaves_the_study(
    home: SiteHome, approved: Make, ask: Ask
) -> None:
    ask(approved())
    leaving = dcmread(scans(home)[0]).PatientID
    for file in scans(home):
        if dcmread(file).PatientID == leaving:
            file.unlink()
    begin_anew()
    assert ask(approved(number=2)).code == "ok"
    assert patients_of(home, approved().study()) == 3
    kept = home.state("chest") / "cache" / "studies" / approved().study()
    assert len(list(kept.rglob("*.safetensors"))) == 2 * 3  # images and latents


def test_a_damaged_list_of_patients_is_an_error_that_its_hint_ends(
    home: SiteHome, approved: Make, ask: Ask
) -> None:
    ask(approved())
    roster = home.state("chest") / "patients" / f"{approved().study()}.json"
    roster.write_text("[{}]")
    begin_anew()
    assert ask(approved(number=2)).code == "data"
    assert "or remove it" in (home.logs / "site.log").read_text(encoding="utf-8")
    roster.unlink()
    begin_anew()
    assert ask(approved(number=2)).code == "ok"


def test_a_damaged_patient_count_is_drawn_again_as_its_hint_says(
    home: SiteHome, approved: Make, ask: Ask
) -> None:
    ask(approved())
    count = home.state("chest") / "studies" / f"{approved().study()}.json"
    before = count.read_bytes()
    count.write_text("{")
    assert ask(approved(number=2)).code == "ledger"
    count.unlink()
    assert ask(approved(number=2)).code == "ok"
    assert count.read_bytes() == before
    assert purposes(home) == ["patient count", "round 1", "round 2"]


def test_a_request_that_is_not_finite_is_refused_before_it_is_paid_for(
    home: SiteHome, approved: Make, ask: Ask
) -> None:
    assert ask(approved(fill=np.inf)).code == "protocol"
    assert not (home.state("chest") / "ledger").exists()


def patients_of(home: SiteHome, study: str) -> int:
    return len(contents_of(home, study))


def contents_of(home: SiteHome, study: str) -> dict[str, str]:
    """What a study's images at the site are, by patient."""
    folder = home.state("chest") / "cache" / "studies" / study / "examples"
    return {path.stem: PatientFile.read(path).content for path in folder.glob("*.safetensors")}


def add_patient(home: SiteHome) -> None:
    source = scans(home)[0]
    scan = dcmread(source)
    scan.PatientID = "new"
    scan.SOPInstanceUID = scan.file_meta.MediaStorageSOPInstanceUID = generate_uid()
    scan.SeriesInstanceUID, scan.StudyInstanceUID = generate_uid(), generate_uid()
    scan.save_as(source.with_name("new.dcm"))


def change_pixels(file: Path) -> None:
    """Change pixels, and neither the size nor the time that programs see."""
    status, content = file.stat(), bytearray(file.read_bytes())
    for place in range(len(content) - 400, len(content) - 200):
        content[place] ^= 0x3F
    file.write_bytes(content)
    os.utime(file, ns=(status.st_atime_ns, status.st_mtime_ns))
    assert (file.stat().st_size, file.stat().st_mtime_ns) == (status.st_size, status.st_mtime_ns)
