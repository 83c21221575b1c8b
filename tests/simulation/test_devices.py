"""The sites of a simulation share what the machine has."""

from __future__ import annotations

from pathlib import Path

import pytest
import torch
from fedscan.client.site import Site
from fedscan.errors import ConfigurationError
from fedscan.simulation.machine.devices import (
    default_workers,
    gpus_per_site,
    on_devices,
    require_device,
)
from fedscan.simulation.run import simulate


def sites(count: int) -> list[Site]:
    names = [f"hospital-{number}" for number in range(count)]
    return [Site(name=name, data=Path(name), state=Path(name), base=Path()) for name in names]


def test_sites_take_the_gpus_by_turns_and_one_computes_on_each(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(torch.cuda, "is_available", lambda: True)
    monkeypatch.setattr(torch.cuda, "device_count", lambda: 2)
    spread = on_devices(sites(3), require_device("in-process", "auto"))
    assert [site.device for site in spread] == ["cuda:0", "cuda:1", "cuda:0"]
    assert default_workers(spread) == 2
    assert (gpus_per_site(spread, 2), gpus_per_site(spread, 4)) == (1.0, 0.5)
    assert gpus_per_site(on_devices(sites(3), "cpu"), 2) == 0.0
    with pytest.raises(ConfigurationError, match="Ray gives the sites their GPUs"):
        require_device("ray", "cuda:1")


def test_a_device_that_is_not_there_is_refused_before_a_scan_is_read(
    tmp_path: Path, make_study: object
) -> None:
    with pytest.raises(ConfigurationError, match="PyTorch finds"):
        simulate(make_study(), tmp_path / "nowhere", tmp_path / "out", device="cuda:7")


def test_another_image_size_is_refused_before_a_scan_is_read(
    tmp_path: Path, make_study: object
) -> None:
    with pytest.raises(ConfigurationError, match="the base generates 32 pixels"):
        simulate(make_study("data.image_size=64"), tmp_path / "nowhere", tmp_path / "out")
