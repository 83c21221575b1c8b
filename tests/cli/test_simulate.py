"""``fedscan simulate``: a real federation of two tiny sites, and what is shown of one."""

from __future__ import annotations

from pathlib import Path

import pytest
from click.testing import Result
from fedscan.cli.live import recorded_epsilon
from fedscan.cli.live_table import LiveTable
from fedscan.cli.main import app
from fedscan.server.events import (
    LossMeasured,
    RoundFinished,
    RoundStarted,
    SiteFinished,
    SitesConnected,
    WeightsMoved,
)
from fedscan.simulation.events import SiteIndexed, StageStarted
from rich.console import Console
from typer.testing import CliRunner


def simulate(data: Path, base: Path, out: Path, *arguments: str) -> Result:
    study = ["data.image_size=32", "data.holdout_fraction=0", "local.steps=1"]
    words = ["simulate", "--data", str(data), "--out", str(out), "--no-evaluate", "--workers", "1"]
    for value in [f"generator.base={base / 'generator'}", *study]:
        words += ["--set", value]
    return CliRunner().invoke(app, [*words, *arguments])


@pytest.fixture(scope="module")
def finished(hospitals, tiny_generator, tmp_path_factory) -> tuple[Path, Result]:
    out = tmp_path_factory.mktemp("simulated") / "run"
    return out, simulate(hospitals, tiny_generator, out, "--rounds", "1", "--epsilon", "6")


def test_a_federation_runs_from_dicom_to_a_report(finished):
    out, result = finished
    assert result.exit_code == 0, result.output
    assert "round 1/1: 2 results" in result.stderr
    assert str(out / "report.html") in result.stdout
    assert (out / "generator" / "model_index.json").is_file()
    assert (out / "report.html").is_file()


def test_what_is_shown_as_spent_is_what_the_ledgers_hold(finished):
    out, result = finished
    for site in ("hospital-a", "hospital-b"):
        spent = recorded_epsilon(out / "sites" / site / "ledger")
        assert spent is not None
        assert 5 < spent <= 6
        assert f"{site} {spent:.2f}" in result.stderr


def test_a_second_run_into_the_same_folder_is_refused(finished, hospitals, tiny_generator):
    out, _ = finished
    result = simulate(hospitals, tiny_generator, out, "--rounds", "1", "--epsilon", "6")
    assert result.exit_code == 9
    assert "--resume" in result.output


def test_evaluation_without_held_out_patients_is_a_data_error(finished, hospitals, tmp_path):
    run, _ = finished
    words = ["evaluate", str(run), "--data", str(hospitals), "--out", str(tmp_path / "measured")]
    result = CliRunner().invoke(app, words)
    assert result.exit_code == 3
    assert "data.holdout_fraction" in result.output


def test_a_folder_without_sites_is_a_data_error(tiny_generator, tmp_path):
    (tmp_path / "empty").mkdir()
    result = simulate(tmp_path / "empty", tiny_generator, tmp_path / "out")
    assert result.exit_code == 3


def test_the_live_table_follows_the_events():
    state = LiveTable({"a": 1.5}.get, ceiling=8)
    lines = [
        state.take(event)
        for event in (
            SiteIndexed(site="a", train_patients=40, holdout_patients=9, set_aside={"blank": 2}),
            SitesConnected(sites=2, rounds=4, first_round=1),
            RoundStarted(round=1, rounds=4, sites=2, request="0" * 64),
            SiteFinished(round=1, site="a", code="ok", seconds=2.5),
            SiteFinished(round=1, site="b", code="budget-exceeded", seconds=0.1),
            RoundFinished(round=1, rounds=4, results=1, update_norm=0.25, seconds=2.6),
        )
    ]
    assert lines == [
        "a: 40 to train on, 9 held out, 2 files set aside",
        "2 sites, rounds 1 to 4",
        "",
        "",
        "round 1, b: budget-exceeded",
        "round 1/4: 1 results, update norm 0.25, 2.6 s; epsilon a 1.50",
    ]
    assert (state.stage, state.share) == ("round 1 of 4", 0.25)
    assert state.sites["a"].epsilon == 1.5
    assert state.sites["b"].code == "budget-exceeded"


def test_rounds_of_a_comparison_show_no_budget_of_the_sites():
    state = LiveTable({"a": 1.5}.get, ceiling=8)
    state.take(SiteFinished(round=1, site="a", code="ok", seconds=2.5))
    state.take(StageStarted(stage="Training without privacy", comparison=True))
    state.take(RoundStarted(round=1, rounds=4, sites=1, request="0" * 64))
    assert state.stage == "Training without privacy: round 1 of 4"
    state.take(SiteFinished(round=1, site="a", code="ok", seconds=2.5))
    line = state.take(RoundFinished(round=1, rounds=4, results=1, update_norm=1.0, seconds=3.0))
    assert "epsilon" not in line
    assert state.sites["a"].epsilon == 1.5  # what the study has spent


def test_a_round_that_did_harm_is_said():
    state = LiveTable({}.get, ceiling=8)
    events = (
        LossMeasured(round=0, loss=0.5),
        WeightsMoved(round=1, share=0.04, step=0.009),
        LossMeasured(round=1, loss=0.5001),
        WeightsMoved(round=2, share=0.1, step=0.025),
        LossMeasured(round=2, loss=0.6),
        # Another training begins: its loss is compared with none of this one.
        StageStarted(stage="Training without privacy", comparison=True),
        LossMeasured(round=0, loss=0.9),
    )
    assert [line for event in events if (line := state.take(event))] == [
        "round 2: a step moved the weights by 2.5% of their length, and more than 1% is much",
        "round 2: the loss on public images rose from 0.5001 to 0.6",
        "Training without privacy",
    ]


def test_the_live_table_shows_each_site():
    state = LiveTable({"a": 1.5}.get, ceiling=8)
    state.take(SiteFinished(round=3, site="a", code="ok", seconds=2.5))
    console = Console(width=120)
    with console.capture() as captured:
        console.print(state.table())
    text = captured.get()
    assert "1.50 of 8" in text
    assert "ok" in text


def test_of_a_hundred_sites_the_live_table_shows_those_that_need_a_look():
    state = LiveTable(lambda name: 1.5, ceiling=8)
    for number in range(100):
        code = "paused" if number == 60 else "ok"
        state.take(SiteFinished(round=3, site=f"s{number}", code=code, seconds=float(number)))
    table = state.table()
    assert len(table.rows) == 16
    console = Console(width=120)
    with console.capture() as captured:
        console.print(table)
    text = captured.get()
    assert "s60" in text
    assert "s99" in text
    assert "and 85 more" in text
    assert "99 ok, 1 paused" in text
    line = state.take(RoundFinished(round=3, rounds=4, results=99, update_norm=1.0, seconds=3.0))
    assert line.endswith("epsilon 1.50 to 1.50")
