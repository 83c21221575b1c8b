"""Whole simulations of tiny sites: real DICOM, real training, real ledgers."""

from __future__ import annotations

import hashlib
import json
import shutil
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from fedscan.config.study import Study, load_study
from fedscan.errors import CheckpointError, ConfigurationError, DataError, RoundFailedError
from fedscan.evaluation.report.results import RunResults
from fedscan.privacy.ledger.entries import Reserve
from fedscan.privacy.ledger.view import LedgerView
from fedscan.server.dashboard.implied_epsilons import implied_epsilons
from fedscan.server.dashboard.snapshot import WatchedStudy, snapshot
from fedscan.server.events import Event, RoundFinished
from fedscan.simulation.events import SiteIndexed, StageStarted
from fedscan.simulation.run import SimulationResult, simulate
from safetensors.numpy import load_file

Finished = tuple[Path, Study, SimulationResult]

#: What a run of two rounds pays for at each site.
PURPOSES = ["statistics", "patient count", "round 1", "round 2"]


def tensors_of(folder: Path) -> dict[str, np.ndarray]:
    return {
        f"{path.parent.name}:{name}": value
        for path in sorted(folder.rglob("*.safetensors"))
        for name, value in load_file(path).items()
    }


def fingerprint(folder: Path) -> dict[str, str]:
    return {name: hashlib.sha256(v.tobytes()).hexdigest() for name, v in tensors_of(folder).items()}


def reservations(out: Path, site: str) -> list[Reserve]:
    entries = LedgerView.read(out / "sites" / site / "ledger").entries
    return [entry.record for entry in entries if isinstance(entry.record, Reserve)]


def test_training_changes_the_trained_tensors_and_no_others(finished: Finished, base: Path) -> None:
    _, _, result = finished
    before, after = tensors_of(base), tensors_of(result.generator)
    assert set(before) == set(after)
    changed = {name for name in before if not np.array_equal(before[name], after[name])}
    attention = {name for name in before if ".attn1." in name or ".attn2." in name}
    assert changed
    assert changed <= attention
    assert all(np.isfinite(value).all() for value in after.values())


def test_every_site_takes_part_in_every_round(finished: Finished) -> None:
    _, study, result = finished
    codes = {(one.round, one.site): one.code for one in result.results.rounds}
    assert set(codes.values()) == {"ok"}
    assert len(codes) == study.federation.rounds * 3
    assert all(one.update_norm > 0 and -1 <= one.cosine <= 1 for one in result.results.rounds)


def test_the_terms_imply_what_the_ledgers_of_sites_without_other_studies_show(
    finished: Finished,
) -> None:
    out, study, _ = finished
    implied = [epsilon for epsilon, _ in implied_epsilons(study)]
    assert implied == sorted(implied)
    for site in (out / "sites").iterdir():
        rows = LedgerView.read(site / "ledger").rows()
        paid = [row.epsilon for row in rows if row.epsilon is not None]
        # Statistics alone come first, then the patient count, then each round.
        assert paid[1:] == pytest.approx(implied, rel=1e-3)


def test_the_run_can_be_watched(finished: Finished) -> None:
    out, study, _ = finished
    state = snapshot(WatchedStudy(out), implied_epsilons(study))
    assert (state["status"]["state"], state["status"]["done"]) == ("finished", 2)
    assert [site["code"] for site in state["sites"]] == ["ok"] * 3
    assert {site["epsilon"] for site in state["sites"]} == {implied_epsilons(study)[2][0]}
    assert state["previews"][-1] == 2


def test_only_trainable_tensors_travel(finished: Finished, base: Path) -> None:
    _, _, result = finished
    attention = [v for n, v in tensors_of(base).items() if ".attn1." in n or ".attn2." in n]
    for one in result.results.rounds:
        assert one.bytes_sent == one.bytes_received == sum(value.nbytes for value in attention)


def test_the_budget_is_paid_round_by_round_with_one_noise(finished: Finished) -> None:
    out, study, result = finished
    for site in ("north", "south", "west"):
        paid = reservations(out, site)
        assert [one.purpose for one in paid] == PURPOSES
        assert paid[-1].mechanisms == paid[-2].mechanisms
    for report in result.results.sites:
        assert report.privacy is not None
        assert 0.98 * study.privacy.epsilon < report.privacy.epsilon <= study.privacy.epsilon
    by_round = [one.epsilon for one in result.results.rounds if one.site == "north"]
    assert by_round == sorted(by_round)
    assert by_round[-1] == pytest.approx(result.results.sites[0].privacy.epsilon, abs=1e-6)


def test_what_is_left_behind_can_be_read_again(finished: Finished) -> None:
    out, study, result = finished
    assert load_study(out / "study.toml") == study
    stored = RunResults.from_dict(json.loads((out / "results.json").read_text()))
    assert stored == result.results
    page = (out / "report.html").read_text()
    assert "<html" in page
    used = result.results.warm_up_groups
    assert used is not None
    assert f"noised mean images of {used} group" in page


def test_the_number_of_processes_does_not_change_a_byte(
    finished: Finished,
    hospitals: Path,
    tmp_path: Path,
    same_secrets: Callable[[Path, Path], Path],
) -> None:
    out, study, result = finished
    again = same_secrets(out, tmp_path / "again")
    other = simulate(study, hospitals, again, workers=2, evaluate=False)
    assert fingerprint(other.generator) == fingerprint(result.generator)
    for site in ("north", "south", "west"):
        assert [one.purpose for one in reservations(again, site)] == PURPOSES


def test_a_site_without_budget_is_left_out(
    hospitals: Path, make_study: Callable[..., Study], tmp_path: Path
) -> None:
    short = ("privacy.epsilon=2", "federation.rounds=1", "local.steps=1")
    (tmp_path / "alone").mkdir()
    (tmp_path / "alone" / "west").symlink_to(hospitals / "west")
    out = tmp_path / "out"
    earlier = make_study(*short, "local.learning_rate=0.002", "federation.min_results=1")
    simulate(earlier, tmp_path / "alone", out, workers=1, evaluate=False)
    shutil.rmtree(out / "run")
    result = simulate(make_study(*short), hospitals, out, workers=1, evaluate=False)
    codes = {one.site: one.code for one in result.results.rounds}
    assert codes == {"north": "ok", "south": "ok", "west": "budget-exceeded"}
    assert "ceiling" in (out / "sites" / "west" / "site.log").read_text()


def test_sites_may_be_few_or_none_only_where_asked(
    hospitals: Path, make_study: Callable[..., Study], tmp_path: Path
) -> None:
    with pytest.raises(ConfigurationError, match="min_results=3"):
        simulate(make_study("federation.min_results=4"), hospitals, tmp_path / "out")
    (tmp_path / "nothing").mkdir()
    with pytest.raises(DataError, match="no site folders"):
        simulate(make_study(), tmp_path / "nothing", tmp_path / "out")


def test_a_study_that_does_not_fit_its_base_is_refused(
    hospitals: Path, make_study: Callable[..., Study], tmp_path: Path
) -> None:
    with pytest.raises(ConfigurationError, match="image_size=32"):
        simulate(make_study("data.image_size=64"), hospitals, tmp_path, workers=1, evaluate=False)


def test_a_folder_with_a_run_is_not_overwritten(
    finished: Finished, hospitals: Path, make_study: Callable[..., Study]
) -> None:
    out, study, _ = finished
    with pytest.raises(CheckpointError, match="--resume"):
        simulate(study, hospitals, out, evaluate=False)
    with pytest.raises(CheckpointError, match="another study"):
        simulate(make_study("local.steps=3"), hospitals, out, resume=True, evaluate=False)
    assert load_study(out / "study.toml") == study


def test_too_few_results_stop_the_simulation(
    hospitals: Path, make_study: Callable[..., Study], tmp_path: Path
) -> None:
    lost = tmp_path / "hospitals"
    for site in ("north", "south"):
        (lost / site).mkdir(parents=True)
    (lost / "west").symlink_to(hospitals / "west")
    with pytest.raises(
        RoundFailedError, match=r"north: privacy \(.*\), south: privacy \(.*\), west: ok"
    ):
        simulate(
            make_study("warm_up.enabled=false"), lost, tmp_path / "out", workers=1, evaluate=False
        )


def test_a_strong_pull_keeps_a_site_near_the_start(
    hospitals: Path, make_study: Callable[..., Study], tmp_path: Path
) -> None:
    changes = (
        "federation.rounds=1",
        "local.optimizer=sgd",
        "local.learning_rate=0.01",
        # The scale of a private update is drawn anew in each run.
        "privacy.enabled=false",
        "privacy.sample_rate=1",
    )
    norms = []
    for pull in ("0", "50"):
        study = make_study(*changes, "local.steps=4", f"local.proximal_mu={pull}")
        out = tmp_path / pull
        result = simulate(study, hospitals, out, workers=1, evaluate=False)
        norms.append(np.mean([one.update_norm for one in result.results.rounds]))
    assert norms[1] < 0.8 * norms[0]


def test_an_observer_sees_it_all(
    hospitals: Path, make_study: Callable[..., Study], tmp_path: Path
) -> None:
    events: list[Event] = []
    study = make_study("privacy.enabled=false", "trainable.subset=lora", "local.ema_decay=0.5")
    result = simulate(
        study, hospitals, tmp_path / "out", workers=1, evaluate=False, progress=events.append
    )
    assert [one.site for one in events if isinstance(one, SiteIndexed)] == [
        "north",
        "south",
        "west",
    ]
    assert len([one for one in events if isinstance(one, RoundFinished)]) == 2
    assert [one.stage for one in events if isinstance(one, StageStarted)][-1] == "Training"
    assert not result.results.private
    assert all(site.privacy is None for site in result.results.sites)
    assert not (tmp_path / "out" / "sites" / "north" / "ledger").exists()
