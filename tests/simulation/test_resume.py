"""Dying and resuming: the same bytes as without, and nothing paid twice."""

from __future__ import annotations

import hashlib
from collections.abc import Callable
from pathlib import Path

import pytest
from deaths import MOMENTS, Death, dying, raise_death, run_and_exit
from fedscan.config.study import Study, study_to_toml
from fedscan.privacy.ledger.entries import Reserve
from fedscan.privacy.ledger.view import LedgerView
from fedscan.server.events import CheckpointSkipped, Event
from fedscan.simulation.pool import worker_context
from fedscan.simulation.run import simulate

SITES = ("north", "south", "west")
PURPOSES = ["statistics", "patient count", "round 1", "round 2"]


def bytes_of(folder: Path) -> dict[str, str]:
    paths = [path for path in folder.rglob("*") if path.is_file()]
    return {
        str(path.relative_to(folder)): hashlib.sha256(path.read_bytes()).hexdigest()
        for path in paths
    }


def purposes(out: Path, sites: tuple[str, ...] = SITES) -> list[list[str]]:
    ledgers = [LedgerView.read(out / "sites" / site / "ledger") for site in sites]
    return [
        [entry.record.purpose for entry in one.entries if isinstance(entry.record, Reserve)]
        for one in ledgers
    ]


def test_a_run_that_dies_at_every_moment_ends_as_one_that_never_did(
    hospitals: Path,
    make_study: Callable[..., Study],
    tmp_path: Path,
    same_secrets: Callable[[Path, Path], Path],
) -> None:
    study = make_study(
        "federation.strategy=fedavgm", "federation.ema_decay=0.5", "federation.wire=int8"
    )
    out = tmp_path / "dying"
    for place, name, at, after in MOMENTS.values():
        with dying(place, name, raise_death, at=at, after=after), pytest.raises(Death):
            simulate(study, hospitals, out, resume=True, workers=1, evaluate=False)
    died = simulate(study, hospitals, out, resume=True, workers=1, evaluate=False)
    assert purposes(out) == [PURPOSES] * 3

    whole = same_secrets(out, tmp_path / "whole")
    lived = simulate(study, hospitals, whole, workers=1, evaluate=False)
    assert purposes(whole) == [PURPOSES] * 3
    assert bytes_of(died.generator) == bytes_of(lived.generator)
    for one, other in zip(died.results.rounds, lived.results.rounds, strict=True):
        assert (one.round, one.site, one.code) == (other.round, other.site, other.code)
        assert one.update_norm == pytest.approx(other.update_norm)


def test_a_killed_process_leaves_what_a_new_one_goes_on_from(
    hospitals: Path,
    make_study: Callable[..., Study],
    tmp_path: Path,
    same_secrets: Callable[[Path, Path], Path],
) -> None:
    study, out = make_study("warm_up.enabled=false"), tmp_path / "killed"
    file = tmp_path / "study.toml"
    file.write_text(study_to_toml(study))
    process = worker_context().Process(target=run_and_exit, args=(file, hospitals, out))
    process.start()
    process.join()
    assert process.exitcode == 9
    assert purposes(out, SITES[:2]) == [["patient count", "round 1"]] * 2
    killed = simulate(study, hospitals, out, resume=True, workers=1, evaluate=False)
    assert purposes(out) == [PURPOSES[1:]] * 3

    whole = same_secrets(out, tmp_path / "whole")
    lived = simulate(study, hospitals, whole, workers=1, evaluate=False)
    assert purposes(whole) == [PURPOSES[1:]] * 3
    assert bytes_of(killed.generator) == bytes_of(lived.generator)


def test_a_damaged_checkpoint_costs_a_round_of_time_and_no_privacy(
    hospitals: Path, make_study: Callable[..., Study], tmp_path: Path
) -> None:
    study, out = make_study("warm_up.enabled=false"), tmp_path / "out"
    before = simulate(study, hospitals, out, workers=1, evaluate=False)
    expected = bytes_of(before.generator)
    state = out / "run" / "checkpoints" / "round-000002" / "state.safetensors"
    state.write_bytes(state.read_bytes()[:-1])
    events: list[Event] = []
    after = simulate(
        study,
        hospitals,
        out,
        resume=True,
        workers=1,
        evaluate=False,
        progress=events.append,
    )
    assert any(isinstance(one, CheckpointSkipped) for one in events)
    assert bytes_of(after.generator) == expected
    assert purposes(out) == [PURPOSES[1:]] * 3
