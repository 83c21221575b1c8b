"""The same apps on Flower's own engine: the same bytes."""

from __future__ import annotations

import os
from collections.abc import Callable
from pathlib import Path

import pytest
from fedscan.config.study import Study, load_study
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


@pytest.mark.real_processes
def test_the_nodes_of_a_cluster_share_the_sites_and_come_to_the_same_bytes(
    finished: tuple[Path, Study, SimulationResult],
    hospitals: Path,
    tmp_path: Path,
    same_secrets: Callable[[Path, Path], Path],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    ray = pytest.importorskip("ray")
    from ray._private.state import actors
    from ray.cluster_utils import Cluster

    monkeypatch.setenv("RAY_USAGE_STATS_ENABLED", "0")
    old, study, expected = finished
    out = same_secrets(old, tmp_path / "ray")
    node = {"num_cpus": 1, "num_gpus": 0, "object_store_memory": 80 * 2**20}
    cluster = Cluster(initialize_head=True, head_node_args={**node, "include_dashboard": False})
    try:
        cluster.add_node(**node)
        result = simulate(
            study, hospitals, out, engine="ray", ray_address=cluster.address, evaluate=False
        )
        ray.init(address=cluster.address, logging_level=40)
        nodes = {actor["Address"]["NodeID"] for actor in actors().values()}
    finally:
        ray.shutdown()
        cluster.shutdown()
    assert len(nodes) == 2
    assert weight_digests(result.generator) == weight_digests(expected.generator)


def test_a_cluster_that_is_not_there_is_told(monkeypatch: pytest.MonkeyPatch) -> None:
    """Ray's own attempts to reach it take a while, so they are left out."""
    ray = pytest.importorskip("ray")

    def unreachable(**options: object) -> None:
        assert options["address"] == "10.9.9.9:6379"
        raise ConnectionError("Could not find any running Ray instance")

    monkeypatch.setattr(ray, "init", unreachable)
    cluster = ray_engine.RayCluster(address="10.9.9.9:6379")
    with pytest.raises(ConfigurationError, match=r"no Ray cluster at '10\.9\.9\.9:6379'"):
        ray_engine.run_on_ray(None, {}, None, [], workers=1, cluster=cluster)  # type: ignore[arg-type]


@pytest.mark.parametrize(
    ("device", "whole", "workers", "expected"),
    [
        ("auto", {"CPU": 64.0, "GPU": 8.0}, 4, (16, 1.0)),
        ("auto", {"CPU": 64.0, "GPU": 2.0}, 4, (16, 0.5)),
        ("cpu", {"CPU": 64.0, "GPU": 2.0}, 4, (16, 0.0)),
        ("auto", {"CPU": 2.0}, 100, (1, 0.0)),
    ],
)
def test_sites_share_what_a_cluster_has(
    device: str, whole: dict[str, float], workers: int, expected: tuple[int, float]
) -> None:
    cluster = ray_engine.RayCluster(address="auto", device=device)
    share = ray_engine.share_of(whole, cluster, workers)
    assert (share["num_cpus"], share["num_gpus"]) == expected


def test_a_cluster_that_cannot_do_what_is_asked_is_refused(hospitals: Path, tmp_path: Path) -> None:
    with pytest.raises(ConfigurationError, match="has no GPU"):
        ray_engine.share_of({"CPU": 2.0}, ray_engine.RayCluster(address="a", device="cuda"), 2)
    with pytest.raises(ConfigurationError, match="Ray gives the sites"):
        ray_engine.RayCluster(address="auto", device="cuda:1")
    with pytest.raises(ConfigurationError, match="the engine is 'in-process'"):
        simulate(load_study(), hospitals, tmp_path / "run", ray_address="auto")


def test_without_ray_the_error_says_what_to_install(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(ray_engine, "find_spec", lambda name: None)
    with pytest.raises(ConfigurationError, match=r"fedscan\[ray\]"):
        ray_engine.run_on_ray(None, {}, None, [], workers=1)  # type: ignore[arg-type]
