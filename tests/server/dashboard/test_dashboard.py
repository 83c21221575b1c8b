"""The dashboard: what it shows of a study, and what it lets nobody do."""

from __future__ import annotations

import os
import re
import subprocess
import time
from dataclasses import replace
from importlib import resources
from typing import Any

import numpy as np
import pytest
from fastapi.testclient import TestClient
from fedscan.cli.main import app
from fedscan.client.settings import LocalSettings
from fedscan.config.study import load_study, study_to_toml
from fedscan.errors import BudgetExceededError, ConfigurationError
from fedscan.server import events
from fedscan.server.coordinator.studies import Order, Outcome, State
from fedscan.server.coordinator.studies import StudyFolder as Submitted
from fedscan.server.dashboard.app import dashboard_app
from fedscan.server.dashboard.snapshot import WatchedStudy, snapshot
from fedscan.server.events import (
    LossMeasured,
    RoundStarted,
    SitesAwaited,
    StudyStopped,
    WarmedUp,
    WeightsMoved,
)
from fedscan.server.history import HistoryEntry
from fedscan.server.joint import events as joint_events
from fedscan.server.meanings import MEANINGS
from typer.testing import CliRunner

EPSILONS = [(0.5, 0.9), (2.0, 4.0), (3.0, 6.0), (3.7, 8.0), (4.2, 9.5)]


def client(watched: Any, implied: Any = None, base: str = "http://127.0.0.1:8765") -> TestClient:
    return TestClient(dashboard_app(WatchedStudy(watched.path), implied), base_url=base)


def seen(watched: Any) -> dict[str, Any]:
    return snapshot(WatchedStudy(watched.path), EPSILONS)


def test_a_study_that_has_not_begun_is_shown(watched: Any) -> None:
    state = seen(watched)
    assert state["status"]["state"] == "waiting"
    assert (state["sites"], state["rounds"], state["previews"]) == ([], [], [])
    assert state["study"]["name"] == "Head CT"


def test_a_folder_without_a_study_is_refused(tmp_path: Any) -> None:
    with pytest.raises(ConfigurationError, match=r"holds no study\.toml"):
        WatchedStudy(tmp_path).study()


def test_rounds_and_sites_are_shown_as_they_come(watched: Any) -> None:
    watched.connect()
    watched.round(1)
    watched.round(2, {"north": "ok", "south": "timeout", "west": "ok"})
    watched.round(3, {"north": "paused"}, whole=False)
    state = seen(watched)
    assert state["status"] | {"since": 0} == {
        "state": "training",
        "done": 2,
        "reason": "",
        "since": 0,
    }
    assert [one["results"] for one in state["rounds"]] == [3, 2]
    assert state["rounds"][1]["codes"]["south"] == "timeout"
    assert state["rounds"][0]["received"] == 93_000
    north, south, west = state["sites"]
    assert (north["name"], north["code"], north["round"]) == ("north", "paused", 3)
    assert (west["code"], west["answered"], west["asked"]) == ("ok", 2, 2)
    assert south["norm"] == pytest.approx(0.8)


def test_privacy_is_what_the_terms_imply_for_the_rounds_a_site_may_have_paid(watched: Any) -> None:
    watched.round(1, {"a": "ok", "b": "timeout", "c": "not-approved", "d": "privacy"})
    watched.round(2, {"a": "ok", "b": "ok", "c": "ok", "d": "privacy"})
    watched.round(3, {"a": "ok", "d": "privacy"}, whole=False)
    spent = {site["name"]: site["epsilon"] for site in seen(watched)["sites"]}
    # A site that did not answer in time may still have trained, and paid.
    assert spent == {"a": 3.7, "b": 3.0, "c": 2.0, "d": 0.5}
    alone = {site["name"]: site["collusion_epsilon"] for site in seen(watched)["sites"]}
    assert alone == {"a": 8.0, "b": 6.0, "c": 4.0, "d": 0.9}
    unknown = snapshot(WatchedStudy(watched.path), None)
    assert {site["epsilon"] for site in unknown["sites"]} == {None}


def test_a_joint_study_is_shown_with_both_of_its_promises(watched: Any) -> None:
    assert seen(watched)["study"]["joint"] is None
    text = (watched.path / "study.toml").read_text()
    joint = replace(load_study(watched.path / "study.toml"), local=LocalSettings(steps=1))
    joint = replace(joint, privacy=replace(joint.privacy, sum="joint", min_sites=6))
    (watched.path / "study.toml").write_text(study_to_toml(joint))
    shown = seen(watched)["study"]
    assert shown["joint"] == {"sites": 6, "colluding": 2, "epsilon": 20.0}
    assert shown["epsilon"] == load_study(watched.path / "study.toml").privacy.epsilon
    assert 'sum = "joint"' not in text


def test_what_was_chosen_to_train_is_shown_with_its_reason(watched: Any) -> None:
    assert seen(watched)["study"]["reason"] == ""
    file = watched.path / "study.toml"
    study, reason = load_study(file), "biases, out of biases, norms, for 2 sites."
    outlook = replace(study.outlook, patients=(30, 20), reason=reason)
    file.write_text(study_to_toml(replace(study, outlook=outlook)))
    assert seen(watched)["study"]["reason"] == reason


def test_no_number_that_is_not_finite_reaches_the_page(watched: Any) -> None:
    watched.round(1)
    nothing = float("nan")
    watched.history.append(
        [HistoryEntry(round=2, site="north", code="ok", update_norm=float("inf"), cosine=nothing)]
    )
    watched.events(LossMeasured(round=2, loss=nothing))
    watched.events(WeightsMoved(round=2, share=float("inf"), step=nothing))
    answer = client(watched, lambda: [(float("inf"), float("inf"))]).get("/state.json")
    assert answer.status_code == 200
    for word in ("Infinity", "NaN"):
        assert word not in answer.text
    assert answer.json()["sites"][0]["norm"] is None
    assert answer.json()["rounds"][1]["norms"] == {"north": None}


def test_the_end_is_shown(watched: Any) -> None:
    watched.events(WarmedUp(groups=3))
    assert seen(watched)["status"]["state"] == "warming up"
    watched.events(StudyStopped(code="round-failed", reason="Round 1 ended with 1 result."))
    assert seen(watched)["status"]["state"] == "stopped"
    assert "1 result" in seen(watched)["status"]["reason"]
    watched.connect()
    watched.round(1)
    assert seen(watched)["status"]["state"] == "training"
    watched.finish()
    assert seen(watched)["status"] | {"since": 0} == {
        "state": "finished",
        "done": 4,
        "reason": "",
        "since": 0,
    }


def test_torn_lines_are_left_out(watched: Any) -> None:
    watched.round(1)
    for name in ("history.jsonl", "events.jsonl"):
        with (watched.path / "run" / name).open("a") as file:
            file.write('{"round": 2, "si')
    assert len(seen(watched)["rounds"]) == 1


def test_every_code_that_can_be_answered_has_a_meaning() -> None:
    from fedscan.federation.protocol import CODES

    # These end a command, a study or a message; no site answers a round with them.
    never = {"error", "round-failed", "checkpoint", "federation", "gate", "signature"}
    assert set(MEANINGS) >= CODES - never


def test_the_page_comes_with_strict_headers(watched: Any) -> None:
    for path in (
        "/",
        "/page.css",
        "/page.js",
        "/chart.js",
        "/words.js",
        "/icon.svg",
        "/state.json",
    ):
        answer = client(watched).get(path)
        assert answer.status_code == 200, path
        policy = answer.headers["content-security-policy"]
        assert policy.startswith("default-src 'none'; script-src 'self';")
        assert "unsafe" not in policy
        assert answer.headers["x-content-type-options"] == "nosniff"


def test_the_page_asks_nothing_of_the_outside() -> None:
    folder = resources.files("fedscan.server.dashboard") / "static"
    for file in folder.iterdir():
        addresses = set(re.findall(r"(?:https?:)?//[a-z][\w.-]+\.\w+[^\s\"')]*", file.read_text()))
        assert addresses <= {"http://www.w3.org/2000/svg"}, file.name


def test_the_page_has_a_sentence_for_every_event() -> None:
    script = resources.files("fedscan.server.dashboard") / "static" / "words.js"
    sentences = set(re.findall(r'case "(\w+)": return `', script.read_text()))
    of_servers = {
        kind.__name__
        for kind in events.Event.__subclasses__()
        # Simulations have more of their own.
        if kind.__module__ in (events.__name__, joint_events.__name__)
    }
    assert sentences == of_servers - {"NothingMoved"}
    assert 'case "NothingMoved": return "' in script.read_text()


def test_an_unchanged_state_is_not_sent_again(watched: Any) -> None:
    page = client(watched)
    first = page.get("/state.json")
    tag = {"If-None-Match": first.headers["etag"]}
    assert page.get("/state.json", headers=tag).status_code == 304
    watched.round(1)
    assert page.get("/state.json", headers=tag).status_code == 200


def test_the_implied_privacy_is_computed_beside_the_page(watched: Any) -> None:
    watched.round(1)
    page = client(watched, lambda: EPSILONS)
    deadline = time.monotonic() + 60
    while time.monotonic() < deadline:
        epsilons = {site["epsilon"] for site in page.get("/state.json").json()["sites"]}
        if epsilons != {None}:
            break
        time.sleep(0.01)
    assert epsilons == {2.0}


def test_terms_without_a_price_leave_the_page_working(watched: Any) -> None:
    def fail() -> list[float]:
        raise BudgetExceededError("No noise keeps the budget.")

    watched.round(1)
    page = client(watched, fail)
    for _ in range(3):
        assert page.get("/state.json").json()["sites"][0]["epsilon"] is None


def test_pictures_are_served_by_round_and_nothing_else_is(watched: Any) -> None:
    watched.picture(2)
    page = client(watched)
    assert page.get("/state.json").json()["previews"] == [2]
    assert page.get("/previews/2.png").content[:8] == b"\x89PNG\r\n\x1a\n"
    assert page.get("/previews/3.png").status_code == 404
    for path in (
        "/previews/../../study.toml",
        "/previews/%2e%2e%2f%2e%2e%2fstudy.toml",
        "/previews/x.png",
        "/study.toml",
        "/docs",
        "/redoc",
        "/openapi.json",
    ):
        assert page.get(path).status_code in (404, 422), path


@pytest.mark.parametrize("host", ["evil.example", "127.0.0.1.evil.example", "10.0.0.1"])
def test_another_name_for_this_machine_is_refused(watched: Any, host: str) -> None:
    """A page elsewhere cannot read the state by having its own name resolve to loopback."""
    assert client(watched, base=f"http://{host}:8765").get("/state.json").status_code == 400
    assert client(watched, base="http://localhost:8765").get("/state.json").status_code == 200


@pytest.mark.parametrize("method", ["POST", "PUT", "DELETE", "PATCH"])
def test_nothing_can_be_changed(watched: Any, method: str) -> None:
    for path in ("/", "/state.json", "/previews/1.png"):
        assert client(watched).request(method, path).status_code == 405


def test_a_study_that_becomes_unreadable_is_said(watched: Any) -> None:
    page = client(watched)
    (watched.path / "study.toml").write_text("name = [")
    answer = page.get("/state.json")
    assert answer.status_code == 503
    assert "TOML" in answer.json()["detail"]


def test_a_study_that_is_not_there_ends_with_a_sentence(tmp_path: Any) -> None:
    command = ["coordinator", "dashboard", "nowhere", "--home", str(tmp_path)]
    result = CliRunner().invoke(app, command)
    assert result.exit_code == 2
    assert "holds no study.toml" in " ".join(result.output.split())


def test_a_server_that_was_killed_trains_no_more(watched: Any) -> None:
    folder = Submitted(watched.path)
    folder.write(Order(number=1, action="run"))
    assert seen(watched)["status"]["state"] == "waiting"
    folder.write(State(order=1, phase="running", run=7))
    folder.write(Outcome(run=7, code="running", pid=os.getpid()))
    watched.connect()
    watched.round(1, whole=False)
    assert seen(watched)["status"]["state"] == "training"
    dead = subprocess.Popen(["true"])
    dead.wait()
    folder.write(Outcome(run=7, code="running", pid=dead.pid))
    assert seen(watched)["status"]["state"] == "interrupted"
    folder.write(Outcome(run=6, code="running", pid=os.getpid()))  # another run's
    assert seen(watched)["status"]["state"] == "interrupted"
    folder.write(Order(number=2, action="stop"))
    assert seen(watched)["status"] | {"since": 0, "done": 0} == {
        "state": "stopped",
        "reason": "it was aborted.",
        "since": 0,
        "done": 0,
    }


def test_losses_are_shown_beside_their_rounds(watched: Any) -> None:
    for number in (1, 2):
        watched.round(number)
    watched.events(LossMeasured(round=1, loss=0.25))
    assert [one["loss"] for one in seen(watched)["rounds"]] == [0.25, None]
    assert seen(watched)["status"]["state"] == "training"


def test_a_round_that_did_harm_is_marked(watched: Any) -> None:
    watched.events(LossMeasured(round=0, loss=0.25))
    for number, loss, step in ((1, 0.3, 0.001), (2, 0.2, 0.05)):
        watched.round(number)
        watched.events(WeightsMoved(round=number, share=4 * step, step=step))
        watched.events(LossMeasured(round=number, loss=loss))
    keys = ("loss", "worse", "movement", "far")
    assert [tuple(one[key] for key in keys) for one in seen(watched)["rounds"]] == [
        (0.3, True, 0.004, False),
        (0.2, False, 0.2, True),
    ]


def test_who_is_waited_for_is_said(watched: Any) -> None:
    watched.round(1, {"north": "ok", "south": "not-approved"}, whole=False)
    watched.events(SitesAwaited(round=1, sites={"south": "not-approved"}))
    status = seen(watched)["status"]
    assert (status["state"], status["reason"]) == (
        "awaiting",
        "south (its steward has not approved the study)",
    )
    watched.events(RoundStarted(round=1, rounds=4, sites=1, request="0" * 64))
    assert seen(watched)["status"]["state"] == "awaiting"
    watched.round(1)
    assert seen(watched)["status"]["state"] == "training"


def test_agreement_stands_beside_what_pure_noise_would_have(watched: Any) -> None:
    watched.round(1, {"a": "ok", "b": "ok", "c": "ok", "d": "ok"})
    watched.round(2, {"a": "ok", "b": "timeout", "c": "ok", "d": "paused"})
    noise = {site["name"]: site["noise"] for site in seen(watched)["sites"]}
    # Of the round of its newest update: four answered the first, two the second.
    assert noise == pytest.approx({"a": 2**-0.5, "b": 0.5, "c": 2**-0.5, "d": 0.5})
    # What the line says, on updates that are nothing but noise.
    updates = np.random.default_rng(0).normal(size=(4, 100_000))
    mean = updates.mean(axis=0)
    cosines = updates @ mean / np.linalg.norm(updates, axis=1) / np.linalg.norm(mean)
    assert cosines == pytest.approx(np.full(4, 0.5), abs=0.02)


def test_whether_the_model_becomes_better_is_shown_with_its_interval(watched: Any) -> None:
    assert seen(watched)["scores"] == []
    for number, better in ((1, 60.0), (2, 90.0), (3, 40.0)):
        watched.scores("north", number, better)
    scores = {one["round"]: one for one in seen(watched)["scores"]}
    assert [number for number, one in scores.items() if one["is_best"]] == [2]
    assert [number for number, one in scores.items() if one["is_last"]] == [3]
    assert scores[2]["apart"]
    share = scores[2]["better"]
    assert share["value"] == pytest.approx(0.9)
    assert share["low"] < 0.9 < share["high"]
    assert scores[2]["right"] is None, "nobody is known to have the finding, or not"
