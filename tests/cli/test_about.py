"""What a study is for is said where people decide: on joining, approving and checking a record."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from fedscan.cli.main import app
from fedscan.server.coordinator.home import Home
from fedscan.server.coordinator.record import sign_record
from tiny_generators import save_tiny_generator
from typer.testing import CliRunner

SAID = {
    "purpose": "To draw lung nodules for teaching.",
    "contact": "Dr Example, fl@example.org",
    "ethics": "EK 12/2026",
    "retention": "Updates are deleted after 30 days.",
    "intended_use": "Teaching, not diagnosis.",
}
SETS = [word for key, text in SAID.items() for word in ("--set", f"about.{key}={text}")]


def fedscan(*words: object, answer: str = "") -> str:
    result = CliRunner().invoke(app, [*map(str, words)], input=answer)
    assert result.exit_code == 0, result.output
    return " ".join(result.output.split())


@pytest.fixture
def homes(tmp_path: Path) -> tuple[Path, Path]:
    """A coordinator that says in its study file what it plans, and a site with a data set."""
    coordinator, site = tmp_path / "coordinator", tmp_path / "north"
    base = save_tiny_generator(tmp_path / "base")
    fedscan("coordinator", "init", "--home", coordinator, "--host", "fl.example.org")
    words = ["config", *SETS, "--set", f"generator.base={base}", "--set", "data.image_size=32"]
    text = CliRunner().invoke(app, words).stdout
    (coordinator / "study.toml").write_text(text, "utf-8")
    fedscan("site", "init", "north", "--home", site, "--base", base)
    (tmp_path / "chest").mkdir()
    fedscan("site", "add-data", "chest", "--folder", tmp_path / "chest", "--home", site)
    return coordinator, site


def invited(coordinator: Path, *changes: str) -> tuple[Path, str]:
    out = coordinator.parent / "invitation.json"
    sets = [word for change in changes for word in ("--set", change)]
    said = fedscan("coordinator", "invite", *sets, "--home", coordinator, "--out", out)
    return out, said


def test_joining_shows_what_the_coordinator_plans_and_binds_nobody(
    homes: tuple[Path, Path],
) -> None:
    coordinator, site = homes
    request, welcome = site / "request.json", site.parent / "welcome.json"
    words = ("enrol", "north", "--request", request, "--out", welcome, "--yes")
    fedscan("coordinator", *words, "--home", coordinator)
    shown = fedscan("site", "join", welcome, "--home", site, answer="n\n")
    assert "Not joined" in shown
    for text in SAID.values():
        assert text in shown
    joined = json.loads(fedscan("site", "join", welcome, "--yes", "--home", site, "--json"))
    assert joined["plan"] == SAID
    # A welcome of an earlier release says nothing of it.
    content = json.loads(welcome.read_bytes())
    del content["about"]
    welcome.write_text(json.dumps(content))
    assert "What it plans" not in fedscan("site", "join", welcome, "--yes", "--home", site)
    assert "No study is approved" in fedscan("site", "approve", "--home", site)


def test_approving_and_showing_say_what_the_study_is_for(homes: tuple[Path, Path]) -> None:
    coordinator, site = homes
    invitation, said = invited(coordinator)
    assert "does not say" not in said
    assert f"Next: send {invitation.name} to the sites; once they approve" in said
    for command in (("show", invitation), ("approve", invitation, "--yes"), ("show", "study")):
        shown = fedscan("site", *command, "--home", site)
        for text in SAID.values():
            assert text in shown
        assert "Not said" not in shown
        assert ("`fedscan site start` runs" in shown) == (command[0] == "approve")
    assert "Approved for chest at " in shown
    approved = json.loads(fedscan("site", "show", "study", "--home", site, "--json"))
    assert approved["approval"]["data"] == "chest"
    assert approved["facts"]["Contact"] == SAID["contact"]


def test_what_is_not_said_is_said_to_be_missing(homes: tuple[Path, Path]) -> None:
    coordinator, site = homes
    invitation, said = invited(coordinator, "about.ethics=", "about.retention=")
    assert "does not say: ethics, retention." in said
    shown = fedscan("site", "show", invitation, "--home", site)
    assert "Not said ethics, retention. Ask the coordinator before you approve." in shown
    assert "Not approved." in shown


def test_the_signed_record_says_it_to_whoever_checks_the_generator(
    homes: tuple[Path, Path],
) -> None:
    home = Home(homes[0])
    record = {"study": "lungs", "contributors": ["north"], "about": SAID}
    path = home.root / "record.json"
    path.write_bytes(sign_record(record, home.record_key))
    key = home.record_key.with_suffix(".pub")
    shown = fedscan("coordinator", "verify", path, "--key", key)
    for text in SAID.values():
        assert text in shown
    del record["about"]
    path.write_bytes(sign_record(record, home.record_key))
    assert "Sites north" in fedscan("coordinator", "verify", path, "--key", key)


def test_the_coordinators_folder_can_be_named_by_the_environment(
    homes: tuple[Path, Path], monkeypatch: pytest.MonkeyPatch
) -> None:
    """The guide says so for all commands."""
    monkeypatch.setenv("FEDSCAN_COORDINATOR_HOME", str(homes[0]))
    for words in (("status",), ("log",), ("audit",)):
        fedscan("coordinator", *words)
