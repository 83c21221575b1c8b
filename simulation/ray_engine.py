"""The same apps on Flower's own simulation engine, which runs the sites as Ray actors.

Slower to start than the in-process grid (Ray takes some ten seconds), but it can spread sites
over a Ray cluster that is there already, and it shows that nothing depends on fedscan's own grid.
"""

from __future__ import annotations

import os
import sys
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from importlib.util import find_spec
from typing import Any

import torch
from flwr.app import Context, Message, UserConfig
from flwr.clientapp import ClientApp
from flwr.serverapp import Grid, ServerApp

from ..errors import ConfigurationError
from .worker import AppLoader


@dataclass(frozen=True, kw_only=True)
class RayCluster:
    """A Ray cluster that is there already. All its machines see the run's folder and the scans.

    Attributes:
        address: Where it is: ``host:port``, or ``auto`` for the one of this machine.
        device: Where the sites compute: ``auto`` (its GPUs, if it has any), ``cpu`` or ``cuda``.
    """

    address: str
    device: str = "auto"

    def __post_init__(self) -> None:
        if self.device not in ("auto", "cpu", "cuda"):
            raise ConfigurationError(
                f"The device is {self.device!r}, and Ray gives the sites of a cluster their GPUs.",
                hint="Use --device auto, cpu or cuda.",
            )


def named_cluster(engine: str, address: str, device: str) -> RayCluster | None:
    """Return the cluster of an address; ``None`` without one.

    Args:
        engine: What carries the messages.
        address: Where the cluster is; empty for none.
        device: Where the sites compute.

    Raises:
        ConfigurationError: If the engine uses no cluster, or the device cannot be had there.
    """
    if address and engine != "ray":
        raise ConfigurationError(
            f"A Ray cluster is named ({address!r}), and the engine is {engine!r}.",
            hint="Add --engine ray.",
        )
    return RayCluster(address=address, device=device) if address else None


def run_on_ray(
    server_app: ServerApp,
    run_config: UserConfig,
    load_app: AppLoader,
    sites: Sequence[UserConfig],
    *,
    workers: int,
    gpus: float = 0.0,
    cluster: RayCluster | None = None,
) -> None:
    """Run a ServerApp and its sites' ClientApps on Flower's Ray engine.

    Args:
        server_app: The coordinator's app; runs in a thread of this process.
        run_config: Its run configuration.
        load_app: Returns the ClientApp; a module-level function.
        sites: Flower's node configuration of every site.
        workers: Sites that compute at the same time.
        gpus: Share of a GPU that each of them gets; on a cluster it follows from that.
        cluster: Where to run; by default a cluster of this machine is begun, and ended.

    Raises:
        ConfigurationError: If Ray is not installed, or the cluster is not there or has too little.
        FedscanError: Whatever the ServerApp raises.
    """
    if find_spec("ray") is None:
        raise ConfigurationError(
            "The engine 'ray' needs Ray, which is not installed.",
            hint="Install fedscan[ray], or use --engine in-process.",
        )
    # Importing it starts nothing, but takes seconds that the other engine need not spend.
    from flwr.simulation import run_simulation

    python_path = os.environ.get("PYTHONPATH")
    try:
        with _resources(cluster, workers, gpus) as resources:
            on_gpu = {"device": "cuda" if resources["num_gpus"] else "cpu"} if cluster else {}
            run_simulation(
                server_app=_Configured(server_app, run_config),
                client_app=_OfSites(load_app, [{**site, **on_gpu} for site in sites]),
                num_supernodes=len(sites),
                backend_config={
                    "init_args": {"num_cpus": workers, **_QUIET},
                    "client_resources": {**resources},
                },
            )
    finally:
        # Flower's engine sets it for its own processes and leaves it to all later ones.
        if python_path is None:
            os.environ.pop("PYTHONPATH", None)
        else:
            os.environ["PYTHONPATH"] = python_path


_QUIET: dict[str, Any] = {"logging_level": 40, "log_to_driver": False}


@contextmanager
def _resources(
    cluster: RayCluster | None, workers: int, gpus: float
) -> Iterator[Mapping[str, int | float]]:
    """Join a cluster, and say what of it a site gets, so that so many compute at once."""
    if cluster is None:
        yield {"num_cpus": 1, "num_gpus": gpus}
        return
    import ray

    try:
        # What the sites' processes find is what this one finds, wherever they run.
        path = {"env_vars": {"PYTHONPATH": os.pathsep.join(sys.path)}}
        ray.init(address=cluster.address, runtime_env=path, **_QUIET)
    except (ConnectionError, ValueError, RuntimeError) as error:
        raise ConfigurationError(
            f"There is no Ray cluster at {cluster.address!r}.",
            hint="`ray start --head` begins one; --ray-address takes host:port, or auto on one of "
            "its machines.",
        ) from error
    try:
        yield share_of(ray.cluster_resources(), cluster, workers)
    finally:
        ray.shutdown()


def share_of(
    whole: Mapping[str, float], cluster: RayCluster, workers: int
) -> dict[str, int | float]:
    """Return what Ray gives a site, so that so many compute at once.

    Args:
        whole: What the cluster has, by Ray's names.
        cluster: The cluster, which says where the sites compute.
        workers: Sites that compute at once.

    Raises:
        ConfigurationError: If they are to compute on GPUs and there is none.
    """
    gpus = whole.get("GPU", 0.0) if cluster.device != "cpu" else 0.0
    if cluster.device == "cuda" and not gpus:
        raise ConfigurationError(
            f"The Ray cluster at {cluster.address!r} has no GPU.", hint="Use --device cpu."
        )
    cpus = max(1, int(whole.get("CPU", 0.0)) // workers)
    return {"num_cpus": cpus, "num_gpus": min(1.0, gpus / workers)}


class _Configured(ServerApp):
    """The coordinator's app with a run configuration, which the engine has no place for."""

    def __init__(self, app: ServerApp, run_config: UserConfig) -> None:
        super().__init__()
        self._app, self._run_config = app, run_config

    def __call__(self, grid: Grid, context: Context) -> None:
        context.run_config = dict(self._run_config)
        self._app(grid, context)


class _OfSites(ClientApp):
    """The sites' app; each of the engine's numbered nodes gets the configuration of one site."""

    def __init__(self, load_app: AppLoader, sites: Sequence[UserConfig]) -> None:
        super().__init__()
        self._load_app, self._sites = load_app, list(sites)

    def __call__(self, message: Message, context: Context) -> Message:
        config = self._sites[int(context.node_config["partition-id"])]
        of_site = Context(
            context.run_id, context.node_id, dict(config), context.state, context.run_config
        )
        torch.set_num_threads(1)
        reply = self._load_app()(message, of_site)
        context.state = of_site.state
        return reply
