"""Simulated runs of an earlier commit are read, and go on to the same generator."""

from __future__ import annotations

import json
import shutil
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from fedscan.config.study import load_study, study_digest
from fedscan.evaluation.report.results import RunResults
from fedscan.model.storage import weights_digest
from fedscan.privacy.ledger.view import LedgerView
from fedscan.server.event_log import EventLog
from fedscan.server.history import History
from fedscan.simulation.run import SimulationResult, simulate
from safetensors.numpy import load_file
from written_before import (
    BASE,
    BEFORE,
    EXPECTED,
    SAME_SOFTWARE,
    SITES,
    copied,
    ignore,
    needs_same_software,
    paid,
)

LAST = Path("run/checkpoints/round-000003/state.safetensors")


def require_same_tensors(found: Path, expected: Path) -> None:
    """Compare two files of tensors."""
    if SAME_SOFTWARE:
        assert found.read_bytes() == expected.read_bytes()
    tensors, wanted = load_file(found), load_file(expected)
    assert tensors.keys() == wanted.keys()
    for name, value in wanted.items():
        np.testing.assert_allclose(tensors[name], value, rtol=1e-3, atol=1e-4, err_msg=name)


def without_later(content: Any, earlier: Any) -> Any:
    """Leave out what an earlier release did not write, which is nothing if it is not known."""
    if isinstance(content, list) and isinstance(earlier, list):
        return [without_later(*pair) for pair in zip(content, earlier, strict=True)]
    if not isinstance(content, dict) or not isinstance(earlier, dict):
        return content
    assert not any(content[key] for key in content.keys() - earlier.keys())
    return {key: without_later(content[key], earlier.get(key)) for key in content if key in earlier}


@pytest.mark.parametrize("name", ["private", "open"])
def test_a_finished_runs_files_can_be_read(name: str) -> None:
    folder = BEFORE / name / "finished"
    stored = json.loads((folder / "results.json").read_text())
    results = RunResults.from_dict(stored)
    assert without_later(results.to_dict(), stored) == stored
    assert results.evaluation is not None
    assert results.study_digest == study_digest(load_study(folder / "study.toml"))
    history = History(folder / "run" / "history.jsonl").entries()
    assert [(one.round, one.site, one.code) for one in history] == [
        (number, site, "ok") for number in (1, 2, 3) for site in SITES
    ]
    assert [one.update_norm for one in history] == [one.update_norm for one in results.rounds]
    events = EventLog(folder / "run" / "events.jsonl").entries()
    assert events[-1]["event"] == "GeneratorSaved"


def go_on(scans: Path, out: Path) -> SimulationResult:
    """Continue a run from its first round's checkpoint."""
    study = load_study(out / "study.toml", [f"generator.base={BASE}"])
    before = (out / "run" / "history.jsonl").read_text()
    result = simulate(study, scans, out, resume=True, workers=1, evaluate=False, progress=ignore)
    assert (out / "run" / "history.jsonl").read_text().startswith(before)
    assert [one.round for one in result.results.rounds] == [1, 1, 2, 2, 3, 3]
    assert {one.code for one in result.results.rounds} == {"ok"}
    return result


def test_a_half_run_without_privacy_ends_with_the_same_generator(
    scans: Path, tmp_path: Path
) -> None:
    out = copied(BEFORE / "open" / "half", tmp_path / "out")
    result = go_on(scans, out)
    require_same_tensors(out / LAST, BEFORE / "open" / "finished" / LAST)
    require_same_norms(result, BEFORE / "open" / "finished")
    if SAME_SOFTWARE:
        assert weights_digest(result.generator) == EXPECTED["open"]["generator"]


def test_a_half_private_run_goes_on_and_pays_for_nothing_twice(scans: Path, tmp_path: Path) -> None:
    out = copied(BEFORE / "private" / "half", tmp_path / "out")
    first = ["statistics", "patient count", "round 1"]
    before = {site: LedgerView.read(out / "sites" / site / "ledger").head for site in SITES}
    go_on(scans, out)
    for site in SITES:
        ledger = out / "sites" / site / "ledger"
        assert paid(ledger) == [*first, "round 2", "round 3"]
        LedgerView.read(ledger, expected_head=before[site])
    assert all(np.isfinite(value).all() for value in load_file(out / LAST).values())


@needs_same_software
def test_a_half_private_run_with_the_finished_ledgers_ends_with_the_same_generator(
    scans: Path, tmp_path: Path
) -> None:
    """The secrets of rounds 2 and 3 are there: a site repeats both, to the byte, at no cost."""
    finished = BEFORE / "private" / "finished"
    out = copied(BEFORE / "private" / "half", tmp_path / "out")
    for site in SITES:
        shutil.rmtree(out / "sites" / site / "ledger")
    copied(finished / "sites", out / "sites")
    result = go_on(scans, out)
    assert weights_digest(result.generator) == EXPECTED["private"]["generator"]
    require_same_tensors(out / LAST, finished / LAST)
    require_same_norms(result, finished)
    for site in SITES:
        lines = (out / "sites" / site / "ledger" / "ledger.jsonl").read_bytes()
        assert lines == (finished / "sites" / site / "ledger" / "ledger.jsonl").read_bytes()


def require_same_norms(result: SimulationResult, finished: Path) -> None:
    """Compare the sizes and directions of all updates with those on record."""
    known = History(finished / "run" / "history.jsonl").entries()
    for one, other in zip(result.results.rounds, known, strict=True):
        assert one.site == other.site
        assert one.update_norm == pytest.approx(other.update_norm, rel=1e-3)
        assert one.cosine == pytest.approx(other.cosine, abs=1e-3)
        assert (one.bytes_sent, one.bytes_received) == (other.bytes_sent, other.bytes_received)
