"""The steward's page: what it shows and does is what the commands show and do."""

from __future__ import annotations

import json
import math
import time
from dataclasses import asdict
from pathlib import Path

import pytest
from fedscan.cli.main import app as commands
from fedscan.client.page.tasks import Tasks
from fedscan.client.steward.approvals import Approvals
from fedscan.client.steward.home import SiteHome
from fedscan.federation.invitation import Invitation
from fedscan.privacy.ledger.view import LedgerView
from site_homes import invitation_of
from typer.testing import CliRunner

STUDY = "study"


def on_record(home: SiteHome) -> list[str]:
    return [entry.event for entry in home.log.entries()]


def by_command(*words: object) -> object:
    result = CliRunner().invoke(commands, [*map(str, words), "--json"])
    assert result.exit_code == 0, result.output
    return json.loads(result.stdout)


@pytest.mark.parametrize(
    ("headers", "status"),
    [
        ({"Authorization": ""}, 401),
        ({"Authorization": "Bearer wrong"}, 401),
        ({"Origin": "http://elsewhere.example"}, 403),
        ({"Sec-Fetch-Site": "cross-site"}, 403),
        ({"Sec-Fetch-Site": "same-site"}, 403),
        ({"Host": "elsewhere.example"}, 400),
        ({"Origin": "http://127.0.0.1", "Sec-Fetch-Site": "same-origin"}, 200),
    ],
)
def test_nobody_is_let_in_without_the_token_or_from_another_page(page, headers, status):
    assert page.client.get("/api/state", headers=headers).status_code == status
    if status != 200:
        answer = page.client.post("/api/actions/pause", json={}, headers=headers)
        assert answer.status_code == status


def test_a_form_of_another_page_does_nothing(page, home):
    for kind in ("text/plain", "application/x-www-form-urlencoded", "multipart/form-data"):
        sent = page.client.post("/api/actions/pause", content="{}", headers={"Content-Type": kind})
        assert sent.status_code == 415
    assert not home.pause_file.exists()


def test_files_of_the_page_hold_nothing_of_the_site_and_load_from_here_alone(page):
    page.client.headers.pop("Authorization")
    for path in ("/", "/page.js", "/parts.js", "/studies.js", "/data.js", "/record.js"):
        answer = page.client.get(path)
        assert answer.status_code == 200
        assert "default-src 'none'" in answer.headers["content-security-policy"]
        assert answer.headers["cache-control"] == "no-store"
        assert not [word for word in ("http://", "https://") if f'src="{word}' in answer.text]


def test_what_it_shows_is_what_the_commands_show(page, busy_home):
    state, home = page.state(), ("--home", busy_home.folder)
    assert state["overview"] == by_command("site", "status", *home)
    assert len(state["gate"]["departures"]) == 1
    (left,) = state["gate"]["departures"]
    answered = next(
        one for one in by_command("site", "audit", *home)["entries"] if one["event"] == "answered"
    )
    assert [
        [one["name"], one["type"], one["shape"], one["sha256"]] for one in left["tensors"]
    ] == answered["facts"]["tensors"]
    assert (left["what"], left["round"], left["data"]) == ("round", 1, "chest")
    assert state["gate"]["refusals"] == {"not-approved": 1}
    (data,) = state["data"]
    rows = LedgerView.read(busy_home.state("chest") / "ledger").rows()
    assert [row["purpose"] for row in data["budget"]["rows"]] == [row.purpose for row in rows]
    ceilings = {one["name"]: one["value"] for one in state["policies"][0]["settings"]}
    assert ceilings["epsilon_ceiling"] == data["budget"]["ceiling"]


def test_the_state_is_read_again_only_when_something_has_changed(page, home):
    first = page.client.get("/api/state")
    same = page.client.get("/api/state", headers={"If-None-Match": first.headers["etag"]})
    assert same.status_code == 304
    page.act("pause")
    later = page.client.get("/api/state", headers={"If-None-Match": first.headers["etag"]})
    assert later.status_code == 200
    assert later.json()["overview"]["paused"]


def test_a_study_is_shown_before_it_can_be_approved(page, busy_home):
    (waiting,) = page.state()["waiting"]
    asked = {STUDY: waiting["study"], "data": "chest"}
    unseen = page.act("approve", **asked)
    assert unseen["state"] == "failed"
    assert "looked at" in unseen["message"]
    shown = page.act("propose", **asked)["result"]
    said = by_command(
        "site", "approve", waiting["study"], "--data", "chest", "--home", busy_home.folder
    )
    # How much memory is free is looked at anew each time.
    facts = [{**dict(one["facts"]), "Machine": ""} for one in (shown, said)]
    assert facts[0] == facts[1]
    assert shown["cost"]["after"] > shown["cost"]["before"] > 0
    assert page.act("approve", **asked)["state"] == "finished"
    assert Approvals(busy_home).require(waiting["study"]).data == "chest"
    assert page.act("withdraw", study=waiting["study"])["state"] == "finished"
    assert on_record(busy_home)[-2:] == ["study-approved", "approval-withdrawn"]


def test_what_cannot_be_paid_is_said_and_not_approved(page, home, make_request):
    home.policy.write_text(
        home.policy.read_text().replace("epsilon_ceiling = 8.0", "epsilon_ceiling = 0.001")
    )
    study = Approvals(home).take_in(invitation_of(make_request()).to_json()).digest
    shown = page.act("propose", study=study, data="chest")
    assert shown["state"] == "failed" or shown["result"]["problem"]
    assert page.act("approve", study=study, data="chest")["state"] == "failed"
    assert Approvals(home).all() == []


def test_a_study_is_declined_with_a_reason_and_does_not_come_back(
    page, busy_home, ask, make_request
):
    (waiting,) = page.state()["waiting"]
    assert page.act("decline", study=waiting["study"], reason="  ")["state"] == "failed"
    assert (
        page.act("decline", study=waiting["study"], reason="no ethics vote")["state"] == "finished"
    )
    state = page.state()
    assert state["waiting"] == []
    assert [one["reason"] for one in state["overview"]["declined"]] == ["no ethics vote"]
    # It asks again, and is told what every study is told that is not approved.
    assert ask(make_request("local.steps=2")).code == "not-approved"
    assert page.state()["waiting"] == []


def test_an_invitation_is_taken_in_as_a_file(page, home, make_request):
    content = invitation_of(make_request(), "heads").to_json().decode()
    result = page.act("take-in", content=content)["result"]
    assert result == {"study": Invitation.from_json(content.encode()).digest, "name": "heads"}
    assert page.act("take-in", content="{}")["state"] == "failed"
    assert [one["name"] for one in page.state()["waiting"]] == ["heads"]


def test_a_data_set_is_looked_into_added_moved_and_retired(page, home, tmp_path):
    found = page.act("look", data="chest")["result"]
    assert found["patients"]["usable"] == 4
    assert found["summary"]["words"]
    assert "4 patients" in found["sentences"][0]
    other = tmp_path / "other"
    other.mkdir()
    (other / "notes.txt").write_text("no scan")
    assert page.act("add-data", name="more", folder=str(other))["state"] == "finished"
    aside = page.act("look", data="more")["result"]["summary"]["set_aside"]
    assert sum(aside.values()) == 1
    moved = tmp_path / "moved"
    other.rename(moved)
    assert page.act("move-data", data="more", folder=str(moved))["result"] == {"folder": str(moved)}
    assert page.act("refresh", data="more")["result"]["files"] == 0
    assert page.act("retire-data", data="more")["state"] == "finished"
    assert on_record(home)[-3:] == ["data-added", "data-moved", "data-retired"]
    assert page.act("add-data", name="more", folder=str(moved))["state"] == "failed"


def test_patients_opt_out_and_nothing_is_left_of_them(page, busy_home):
    scans = Path(busy_home.folder.parent / "scans")
    assert scans.exists()
    result = page.act("opt-out", identifiers="PATIENT-1\n# a note\nPATIENT-2")["result"]
    assert result["result"]["new_patients"] == 2
    assert page.state()["optOuts"]["total"] == 2
    left = page.act("check-opt-outs", identifiers="PATIENT-1")["result"]
    assert left["files"] == []
    assert page.act("opt-out", identifiers=" \n")["state"] == "failed"


def test_what_a_ledger_forgot_is_entered(page, busy_home):
    before = page.state()["overview"]["data_sets"][0]["epsilon"]
    form = {"data": "chest", "steps": 3, "sample_rate": 0.2, "noise": 1.0, "purpose": "round 2"}
    assert page.act("charge", **form)["result"]["epsilon"] > before
    wrong = page.client.post("/api/actions/charge", json={**form, "steps": 0})
    assert wrong.status_code == 422
    assert "steps" in wrong.json()["detail"]


def test_what_an_action_gives_holds_no_number_that_json_has_not():
    tasks = Tasks()
    task = tasks.start(lambda report: {"epsilon": math.inf, "delta": 1e-5})
    while task.state == "running":
        time.sleep(0.01)
    tasks.stop()
    answer = json.dumps(asdict(task), allow_nan=False)
    assert json.loads(answer)["result"] == {"epsilon": None, "delta": 1e-5}


def test_pause_doctor_and_the_record(page, home):
    page.act("pause")
    assert home.pause_file.exists()
    page.act("resume")
    assert not home.pause_file.exists()
    findings = page.act("doctor")["result"]["findings"]
    assert {"settings", "policy", "audit log", "data chest"} <= {one["check"] for one in findings}
    head = page.act("verify-audit", head="")["result"]["head"]
    page.act("pause")
    assert page.act("verify-audit", head=head)["result"]["lines"] == int(head.partition(":")[0]) + 1
    lines = home.audit.read_bytes().replace(b"resumed", b"revived")
    home.audit.write_bytes(lines)
    assert page.act("verify-audit", head="")["state"] == "failed"
    assert "problem" in page.state()["audit"]


def test_what_it_is_not_told_in_the_right_form_it_does_not_do(page):
    assert page.client.post("/api/actions/format-disk", json={}).status_code == 404
    assert (
        page.client.post("/api/actions/look", json={"data": "chest", "more": 1}).status_code == 422
    )
    assert page.client.get("/api/tasks/99").status_code == 404
