"""What trains is chosen once, by the command that submits or simulates a study."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path

import pytest
from fedscan.cli.main import app
from fedscan.config.study import Study, load_study
from fedscan.federation.invitation import Invitation
from fedscan.server.coordinator.home import Addresses
from fedscan.server.coordinator.setup import create_home
from fedscan.simulation.events import SubsetChosen
from fedscan.simulation.run import simulate
from typer.testing import CliRunner


@pytest.fixture
def coordinator(tmp_path: Path) -> Path:
    home = tmp_path / "coordinator"
    create_home(
        home, Addresses(name="f", host="h", port=8443, listen="127.0.0.1", superlink_port=9091)
    )
    return home


def ask(command: str, coordinator: Path, base: Path, *more: str) -> dict[str, str]:
    words = ["coordinator", command, "--home", str(coordinator), "--json", *more]
    for one in ("name=lungs", f"generator.base={base}", "data.image_size=32"):
        words += ["--set", one]
    result = CliRunner().invoke(app, words)
    assert result.exit_code == 0, result.output
    document: dict[str, str] = json.loads(result.stdout)
    return document


def test_a_submitted_study_says_what_trains_and_why(
    coordinator: Path, base: Path, tmp_path: Path
) -> None:
    sizes = ("-p", "30", "-p", "80")
    invitation = str(tmp_path / "lungs.json")
    said = ask("invite", coordinator, base, *sizes, "--out", invitation)
    answer = ask("submit", coordinator, base, *sizes)
    assert answer["trains"] == said["trains"] == "biases"
    assert "2 sites with 110 training patients" in answer["reason"]
    study = load_study(coordinator / "studies" / "lungs" / "study.toml")
    assert study.trainable.subset == "biases"
    # In an order that does not say who is who.
    assert study.outlook.patients == (80, 30)
    assert study.outlook.reason == answer["reason"]
    terms = Invitation.from_json(Path(answer["invitation"]).read_bytes()).terms
    assert json.loads(terms["trainable"])["subset"] == "biases"
    assert json.loads(terms["outlook"])["patients"] == [80, 30]
    assert Path(invitation).read_bytes() == Path(answer["invitation"]).read_bytes()


def test_without_sizes_the_terms_are_those_that_a_study_had(coordinator: Path, base: Path) -> None:
    answer = ask("submit", coordinator, base)
    assert answer["trains"] == "lora"
    assert answer["reason"] == ""
    terms = Invitation.from_json(Path(answer["invitation"]).read_bytes()).terms
    assert json.loads(terms["trainable"]) == {"lora_rank": 2, "subset": "lora"}
    assert "outlook" not in terms


def test_only_what_was_chosen_has_a_reason_to_print(coordinator: Path, base: Path) -> None:
    words = ["coordinator", "submit", "--home", str(coordinator)]
    sets = ["--set", f"generator.base={base}", "--set", "data.image_size=32", "--set"]
    plain = CliRunner().invoke(app, [*words, *sets, "name=plain"])
    chosen = CliRunner().invoke(app, [*words, *sets, "name=chosen", "-p", "30", "-p", "80"])
    assert "Trains" in plain.output
    assert "Reason" not in plain.output
    assert "Reason" in chosen.output


def test_a_simulation_chooses_by_the_patients_that_are_there_and_goes_on_with_it(
    hospitals: Path, make_study: Callable[..., Study], tmp_path: Path
) -> None:
    study = make_study("trainable.subset=auto", "federation.rounds=1")
    told = []
    first = simulate(study, hospitals, tmp_path, workers=1, evaluate=False, progress=told.append)
    reasons = [one.reason for one in told if isinstance(one, SubsetChosen)]
    assert len(reasons) == 1
    assert "biases, out of biases, norms" in reasons[0]
    written = load_study(tmp_path / "study.toml")
    assert written.trainable.subset == "biases"
    patients = sum(site.train_patients or 0 for site in first.results.sites)
    assert sum(written.outlook.patients) == patients
    generator = first.results.generator
    assert (generator.trained_subset, generator.trained_reason) == ("biases", reasons[0])
    assert reasons[0] in first.report.read_text("utf-8")
    assert reasons[0] in (first.generator / "README.md").read_text("utf-8")
    # With other patients there, a run that was begun goes on as it was.
    again = simulate(
        study, hospitals, tmp_path, workers=1, evaluate=False, resume=True, progress=told.append
    )
    assert again.results.generator.trained_subset == "biases"
    assert again.results.study_digest == first.results.study_digest
