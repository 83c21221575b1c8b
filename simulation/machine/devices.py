"""On which devices the sites of a simulation compute, and how many of them at once."""

from __future__ import annotations

import math
import os
from collections.abc import Sequence
from dataclasses import replace

from ...client.site import Site
from ...errors import ConfigurationError
from ...model.computing.devices import resolve_device, spread_devices


def require_device(engine: str, setting: str) -> str:
    """Return the device that a setting stands for.

    Args:
        engine: What carries the messages. Ray hides from a site's process all GPUs but its own,
            so none can be named.
        setting: auto, cpu, cuda, cuda:N or mps.

    Raises:
        ConfigurationError: If there is no such device, or the engine cannot use it.
    """
    if engine == "ray" and ":" in setting:
        raise ConfigurationError(
            f"Ray gives the sites their GPUs, so none can be named ({setting!r}).",
            hint="Use --device cuda, and the variable CUDA_VISIBLE_DEVICES for some GPUs only.",
        )
    return resolve_device(setting)


def on_devices(sites: Sequence[Site], device: str, workers: int = 0) -> list[Site]:
    """Give each site its device: all GPUs by turns.

    Args:
        sites: The sites.
        device: From :func:`require_device`.
        workers: Sites that compute at once, and share the memory; the default number if 0.
    """
    devices = spread_devices(device, len(sites))
    with_devices = [replace(site, device=one) for site, one in zip(sites, devices, strict=True)]
    sharers = math.ceil((workers or default_workers(with_devices)) / len(set(devices)))
    return [replace(site, memory_share=1 / sharers) for site in with_devices]


def default_workers(sites: Sequence[Site]) -> int:
    """Return how many sites compute at once: one for each GPU, or for each processor."""
    devices = {site.device for site in sites}
    count = os.cpu_count() or 1 if devices == {"cpu"} else len(devices)
    return min(len(sites), count)


def gpus_per_site(sites: Sequence[Site], workers: int) -> float:
    """Return which share of a GPU Ray gives a site, so that so many compute at once.

    Args:
        sites: The sites, on their devices.
        workers: Sites that compute at once.
    """
    gpus = len({site.device for site in sites if site.device.startswith("cuda")})
    return min(1.0, gpus / workers)
