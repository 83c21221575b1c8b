"""What may change between two starts of a run, what may not, and who may start one."""

from __future__ import annotations

import re
import shutil
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from fedscan.common.locks import holding
from fedscan.config.study import Study
from fedscan.errors import CheckpointError, ConfigurationError, RoundFailedError
from fedscan.privacy.ledger.entries import Reserve
from fedscan.privacy.ledger.view import LedgerView
from fedscan.server import begun as names
from fedscan.server.terms import earlier_training_digest
from fedscan.simulation.run import simulate
from safetensors.numpy import load

Make = Callable[..., Study]


def run(study: Study, data: Path, out: Path, *, resume: bool = False) -> Path:
    made = simulate(study, data, out, resume=resume, workers=1, evaluate=False)
    return made.generator


def paid(out: Path, site: str) -> list[str]:
    entries = LedgerView.read(out / "sites" / site / "ledger").entries
    return [one.record.purpose for one in entries if isinstance(one.record, Reserve)]


@pytest.fixture
def interrupted(
    hospitals: Path, make_study: Make, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> Path:
    """A run whose second round lost a site: it needs three results and has two."""
    from fedscan.client.answers import round as site_round

    train, calls = site_round.run_private_steps, []

    def failing(*arguments: object, **options: object) -> object:
        calls.append(1)
        if len(calls) > 5:
            raise OSError("out of order")
        return train(*arguments, **options)

    out = tmp_path / "out"
    study = make_study("warm_up.enabled=false", "federation.min_results=3")
    with monkeypatch.context() as patched:
        patched.setattr(site_round, "run_private_steps", failing)
        with pytest.raises(RoundFailedError, match="2 usable results of the 3") as failure:
            run(study, hospitals, out)
    assert "--set federation.round_timeout_s" in failure.value.hint
    return out


def test_a_run_goes_on_with_another_patience(
    hospitals: Path, make_study: Make, interrupted: Path
) -> None:
    changed = make_study(
        "warm_up.enabled=false", "federation.min_results=2", "federation.round_timeout_s=7200"
    )
    run(changed, hospitals, interrupted, resume=True)
    for site in ("north", "south", "west"):
        assert paid(interrupted, site) == ["patient count", "round 1", "round 2"]


def test_so_does_one_that_an_earlier_release_began(
    hospitals: Path, make_study: Make, interrupted: Path, base: Path
) -> None:
    """Its checkpoints are named with their patience and with the base's weights alone."""
    begun = make_study("warm_up.enabled=false", "federation.min_results=3")
    (interrupted / "run" / "names.json").unlink(missing_ok=True)
    digest = names.generator_digest(base)
    for file in (interrupted / "run" / "checkpoints").glob("*/checkpoint.json"):
        text = re.sub(
            r'"study": "\w+"',
            f'"study": "{earlier_training_digest(begun, digest)}"',
            file.read_text(),
        )
        file.write_text(text)
    changed = make_study("warm_up.enabled=false", "federation.min_results=1")
    run(changed, hospitals, interrupted, resume=True)
    assert paid(interrupted, "north") == ["patient count", "round 1", "round 2"]


def test_another_training_is_named_by_its_settings(
    hospitals: Path, make_study: Make, interrupted: Path
) -> None:
    other = make_study(
        "warm_up.enabled=false", "federation.min_results=3", "local.learning_rate=0.5"
    )
    with pytest.raises(CheckpointError, match=r"local\.learning_rate is 0\.5, not 0\.008") as found:
        run(other, hospitals, interrupted, resume=True)
    # The hint: go on with the study as it was written.
    file = re.search(r"--config (\S+),", found.value.hint)
    assert file
    assert Path(file[1]) == interrupted / "study.toml"
    assert "federation.round_timeout_s" in found.value.hint


def test_two_processes_do_not_work_on_one_run(
    hospitals: Path, make_study: Make, tmp_path: Path
) -> None:
    out = tmp_path / "out"
    out.mkdir()
    with (
        holding(out / ".lock", 0, CheckpointError),
        pytest.raises(CheckpointError, match="Another process works on the run"),
    ):
        run(make_study(), hospitals, out)
    assert not (out / "study.toml").exists()


def test_a_run_does_not_lie_among_the_hospitals(
    hospitals: Path, make_study: Make, tmp_path: Path
) -> None:
    data = shutil.copytree(hospitals, tmp_path / "hospitals")
    for out in (data / "run", data / "north" / "deeper"):
        with pytest.raises(ConfigurationError, match="where each folder is a hospital"):
            run(make_study(), data, out)
    assert sorted(path.name for path in data.iterdir()) == ["north", "south", "west"]


def test_a_damaged_warm_up_is_made_again_as_its_hint_says(
    hospitals: Path, make_study: Make, tmp_path: Path
) -> None:
    """Also when the sites have erased the secrets of their statistics long ago."""
    study, out = make_study("federation.rounds=6", "local.steps=1"), tmp_path / "out"
    made = run(study, hospitals, out)
    expected = {path.name: path.read_bytes() for path in made.rglob("*.safetensors")}
    before = paid(out, "north")
    kept = out / "run" / "warm-up.safetensors"
    content = kept.read_bytes()
    kept.write_bytes(content[:-1])
    shutil.rmtree(out / "run" / "checkpoints" / "round-000006")
    with pytest.raises(CheckpointError, match="is damaged") as damaged:
        run(study, hospitals, out, resume=True)
    assert damaged.value.hint.startswith("Delete the file")
    kept.unlink()
    made = run(study, hospitals, out, resume=True)
    # The order in which the file's header states its facts is drawn anew for each file.
    assert load(kept.read_bytes()).keys() == load(content).keys()
    for name, tensor in load(content).items():
        assert np.array_equal(load(kept.read_bytes())[name], tensor)
    assert {path.name: path.read_bytes() for path in made.rglob("*.safetensors")} == expected
    assert paid(out, "north") == before
