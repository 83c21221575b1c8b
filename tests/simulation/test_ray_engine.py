"""The same apps on Flower's own engine: the same bytes."""

from __future__ import annotations

import os
from collections.abc import Callable
from pathlib import Path

import pytest
from fedscan.config.study import Study
from fedscan.errors import ConfigurationError
from fedscan.privacy.ledger.view import LedgerView
from fedscan.simulation import ray_engine
from fedscan.simulation.run import SimulationResult, simulate
from tiny_generators import weight_digests


def test_flowers_engine_comes_to_the_same_bytes(
    finished: tuple[Path, Study, SimulationResult],
    hospitals: Path,
    tmp_path: Path,
    same_secrets: Callable[[Path, Path], Path],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    pytest.importorskip("ray")
    monkeypatch.setenv("RAY_USAGE_STATS_ENABLED", "0")
    monkeypatch.delenv("PYTHONPATH", raising=False)
    old, study, expected = finished
    out = same_secrets(old, tmp_path / "ray")
    result = simulate(study, hospitals, out, engine="ray", workers=2, evaluate=False)
    assert weight_digests(result.generator) == weight_digests(expected.generator)
    for site in ("north", "south", "west"):
        before, after = (LedgerView.read(run / "sites" / site / "ledger") for run in (old, out))
        assert before.entries == after.entries
    assert "PYTHONPATH" not in os.environ


def test_without_ray_the_error_says_what_to_install(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(ray_engine, "find_spec", lambda name: None)
    with pytest.raises(ConfigurationError, match=r"fedscan\[ray\]"):
        ray_engine.run_on_ray(None, {}, None, [], workers=1)  # type: ignore[arg-type]
