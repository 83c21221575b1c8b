"""A finished run is examined by the command, and a gate decides its exit status."""

from __future__ import annotations

import json
import shutil
from pathlib import Path

import pytest
from fedscan.cli.main import app
from fedscan.evaluation.readers.answers import Answer, AnswerBook
from fedscan.evaluation.readers.study import ReaderStudy
from fedscan.evaluation.results import read_examination
from fedscan.model.storage import generator_digest
from fedscan.simulation.run import simulate
from typer.testing import CliRunner

SMALL = [
    "examination.real_images=8",
    "examination.synthetic_images=6",
    "examination.utility_seeds=2",
    "examination.utility_steps=10",
    "evaluation.min_patients_per_class=2",
    "examination.rare_class=pneumonia",
    "evaluation.bootstrap=100",
    "evaluation.steps=1",
]
FAIR = [
    "fairness.samples_per_group=16",
    "fairness.min_patients=5",
    "fairness.real_images=32",
    "fairness.classifier_steps=10",
    "fairness.classifier_seeds=1",
    "fairness.bootstrap=100",
]


@pytest.fixture
def run(finished, tmp_path: Path) -> Path:
    shutil.copytree(finished[0], tmp_path / "run")
    return tmp_path / "run"


def examine(run: Path, hospitals: Path, base: Path, *more: str):
    words = ["examine", str(run), "--data", str(hospitals)]
    words += [word for setting in SMALL + FAIR for word in ("--set", setting)]
    return CliRunner().invoke(app, [*words, "--only", "utility", *more])


def test_a_run_is_examined_and_its_gate_decides(run, finished, hospitals, base, tmp_path):
    gate = tmp_path / "gate.toml"
    # Which patients are held out is a matter of chance here: a class may lack patients.
    holds = '[[line]]\nmeasure = "utility.auc_real"\nat_least = 0\nif_measured = true\n'
    gate.write_text(
        holds + '[[line]]\nmeasure = "utility.auc_gain"\nat_least = 2\nwhy = "more than can be"\n'
    )
    before = (run / "generator" / "README.md").read_bytes()
    # Finished by an earlier stage of the run; another one was not.
    shutil.copytree(base, run / "comparisons" / "non-private" / "generator")
    (run / "comparisons" / "pooled" / "run").mkdir(parents=True)
    result = examine(run, hospitals, base, "--gate", str(gate))
    assert result.exit_code == 11, result.output
    assert "utility.auc_gain" in result.output
    found = read_examination(run / "examination")
    assert found.own_split
    assert list(found.against) == ["base", "non-private"]
    assert found.against["base"] == generator_digest(base)
    assert found.gate is not None
    assert [line.passed for line in found.gate.lines] == [True, False]
    assert found.train_patients + found.holdout_patients == 15
    page = (run / "examination" / "examination.html").read_text("utf-8")
    assert "more than can be" in page
    assert "Does it help?" in page
    card = (run / "examination" / "model-card.md").read_text("utf-8")
    assert "not passed, 1 of 2 lines fail" in card
    assert "## Does it help?" in card
    # The study's record is signed over the generator's folder.
    assert (run / "generator" / "README.md").read_bytes() == before
    assert "more than can be" in (run / "report.html").read_text("utf-8")

    # The run's report is written again: what was examined stays in it.
    simulate(finished[1], hospitals, run, resume=True, evaluate=False, workers=1)
    assert "more than can be" in (run / "report.html").read_text("utf-8")

    gate.write_text(holds)
    words = ["--no-comparisons", "--against", f"other={base}"]
    again = examine(run, hospitals, base, "--gate", str(gate), *words)
    assert again.exit_code == 0, again.output
    alone = read_examination(run / "examination")
    assert list(alone.against) == ["other"]
    assert alone.sections[0].measures == found.sections[0].measures


def test_the_same_command_measures_only_what_is_not_there_yet(run, hospitals, base):
    alone = examine(run, hospitals, base)
    assert alone.exit_code == 0, alone.output
    assert "Taken up" not in alone.output
    # Fairness reads the scanners too: no reason to measure anything else once more.
    words = ["--only", "fairness", "--only", "data"]
    first = examine(run, hospitals, base, *words)
    assert "Taken up as an earlier run left them: utility\n" in first.output
    found = read_examination(run / "examination")
    # The data card is made anew: the sites may have released their numbers since.
    again = examine(run, hospitals, base, *words)
    assert "Taken up as an earlier run left them: utility, fairness\n" in again.output
    assert read_examination(run / "examination") == found
    other = examine(run, hospitals, base, "--set", "evaluation.seed=5")
    assert other.exit_code == 0, other.output
    assert "Taken up" not in other.output


def test_a_generator_without_its_run_is_said_to_have_no_split(run, hospitals, base, tmp_path):
    out = tmp_path / "out"
    alone = run / "generator"
    settings = ["--config", str(run / "study.toml"), "--out", str(out)]
    result = examine(alone, hospitals, base, *settings)
    assert result.exit_code == 0, result.output
    assert not json.loads((out / "examination.json").read_text())["own_split"]
    assert "Not the run’s own split" in (out / "examination.html").read_text("utf-8")


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (["--gate", "none.toml"], "cannot be read"),
        (["--against", "base"], "NAME=GENERATOR"),
        (["--only", "fear"], "'fear'"),
    ],
)
def test_wrong_words_are_refused_before_anything_takes_time(run, hospitals, base, words, said):
    result = examine(run, hospitals, base, *words)
    assert result.exit_code == 2, result.output
    assert said in result.output
    assert not (run / "examination" / "examination.json").exists()


def test_readers_of_a_run_become_a_section(run, hospitals, base, tmp_path):
    study = tmp_path / "readers"
    invoke = CliRunner().invoke
    words = ["reader-study", "init", str(run), "--data", str(hospitals), "--out", str(study)]
    words += ["-n", "2", "--set", "evaluation.steps=1"]
    result = invoke(app, words)
    assert result.exit_code == 0, result.output
    assert invoke(app, words).exit_code == 2  # answers belong to the images they were given for
    assert invoke(app, ["reader-study", "score", str(study)]).exit_code == 3
    opened = ReaderStudy.open(study)
    assert len(opened.items) == 4
    for item, synthetic in opened.key().items():
        for reader in ("ann", "bob"):
            answer = Answer(item=item, rating=2 if synthetic else 3, seconds=1.0)
            AnswerBook(opened).add(reader, answer)
    result = invoke(app, ["reader-study", "score", str(study)])
    assert result.exit_code == 0, result.output
    assert "2 readers judged 8 times" in result.output
    assert json.loads((study / "scores.json").read_text())["key"] == "readers"
    result = examine(run, hospitals, base, "--readers", str(study))
    assert result.exit_code == 0, result.output
    found = read_examination(run / "examination").sections[-1]
    assert {one.name: one.value for one in found.measures}["agreement"] == 1.0


def test_rejecting_needs_a_model_that_judges(run, tmp_path):
    words = ["generate", str(run), "--prompt", "chest X-ray, PA view", "--out", str(tmp_path / "x")]
    result = CliRunner().invoke(app, [*words, "--reject-implausible", str(run)])
    assert result.exit_code == 6
    assert "There is no plausibility model" in result.output
    assert not (tmp_path / "x").exists()
