"""The steward's page ends a joint study, as ``fedscan site end-study`` does."""

from __future__ import annotations

from pathlib import Path

import pytest
from axe import violations
from browser import CUT_OFF, Browser, needs_chromium, serving
from fedscan.client.page.app import steward_app
from fedscan.client.steward.approvals import Approvals
from joint_sites import JointSite, is_ready, joint_site
from site_homes import invitation_of

#: As long as a real one.
TOKEN = "k" * 43

_EMPTY = "[...document.querySelectorAll('.stacked td.number:empty')]"


@pytest.fixture
def site(tmp_path: Path, base: Path) -> JointSite:
    """A site that has begun a sum of a joint study."""
    made = joint_site(tmp_path, base, "privacy.clip_norm=1.0", "privacy.draws_per_patient=1")
    made.approve()
    assert is_ready(made.begin(made.request()))
    return made


def test_a_study_is_ended_and_it_is_on_record(page_of, site: JointSite) -> None:
    joint_page = page_of(site.home)
    study = site.invitation.digest
    assert list(site.keys.glob("*.key"))
    assert [one["has_keys"] for one in joint_page.state()["overview"]["joint"]] == [True]
    task = joint_page.act("end-study", study=study)
    assert task["result"] == {"study": study, "erased": True}
    assert not list(site.keys.glob("*.key"))
    assert not site.sums.exists()
    state = joint_page.state()
    assert [one["keys_erased"][:2] for one in state["overview"]["joint"]] == ["20"]
    assert state["audit"][0]["words"] == "keys for a joint study erased"
    assert state["audit"][0]["facts"] == {"study": study, "by": "steward"}
    assert joint_page.act("end-study", study=study)["result"]["erased"] is False


def test_keys_that_are_lost_are_seen_at_once(page_of, site: JointSite) -> None:
    joint_page = page_of(site.home)
    before = joint_page.client.get("/api/state").headers["etag"]
    for key in site.keys.glob("*.key"):
        key.unlink()
    later = joint_page.client.get("/api/state", headers={"If-None-Match": before})
    assert [one["has_keys"] for one in later.json()["overview"]["joint"]] == [False]


def test_what_has_no_keys_or_is_not_approved_is_not_ended(page, home, make_request) -> None:
    invitation = invitation_of(make_request())
    unknown = page.act("end-study", study=invitation.digest)
    assert (unknown["state"], "not approved" in str(unknown["message"])) == ("failed", True)
    Approvals(home).approve(invitation, "chest")
    assert page.state()["overview"]["joint"] == []
    assert page.act("end-study", study=invitation.digest)["state"] == "failed"
    assert [entry.event for entry in home.log.entries()][-1] == "study-approved"


@needs_chromium
@pytest.mark.parametrize("width", [1300, 400])
def test_a_study_is_ended_by_keyboard_once_it_is_confirmed(
    site: JointSite, tmp_path: Path, width: int
) -> None:
    browser = Browser(tmp_path / "profile")
    try:
        with serving(steward_app(site.home, TOKEN)) as address:
            browser.window(width, "light")
            browser.open(f"{address}#{TOKEN}")
            browser.until("document.querySelectorAll('#joint article').length === 1")
            about = "document.querySelector('#joint .about').innerText"
            assert browser.value(about) == "Its keys are kept here."
            browser.tab_to("End lungs at this site")
            browser.press("Enter")
            browser.tab_to("Erase its keys")
            browser.press("Enter")  # which the box before it does not allow yet
            assert list(site.keys.glob("*.key"))
            assert violations(browser) == []
            assert browser.value(CUT_OFF) == []
            # What a narrow window shows one below the other has no label without a value.
            browser.until(f"{_EMPTY}.length > 1")
            if width < 600:
                assert browser.value(f"{_EMPTY}.filter(one => one.checkVisibility()).length") == 0
            browser.value("document.querySelector('#joint input[type=checkbox]').click()")
            browser.tab_to("Erase its keys")
            browser.press("Enter")
            browser.until(f"{about}.startsWith('It is over here')")
            told = browser.value("document.querySelector('#joint .outcome').innerText")
            assert told == "The keys of the study lungs are erased."
            assert not browser.value("document.querySelector('#joint details').checkVisibility()")
            assert not list(site.keys.glob("*.key"))
    finally:
        browser.stop()
