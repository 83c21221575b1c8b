"""The same apps on Flower's own simulation engine, which runs the sites as Ray actors.

Slower to start than the in-process grid (Ray takes some ten seconds), but it can spread sites
over a Ray cluster, and it shows that nothing depends on fedscan's own grid.
"""

from __future__ import annotations

import os
from collections.abc import Sequence
from importlib.util import find_spec

import torch
from flwr.app import Context, Message, UserConfig
from flwr.clientapp import ClientApp
from flwr.serverapp import Grid, ServerApp

from ..errors import ConfigurationError
from .worker import AppLoader


def run_on_ray(
    server_app: ServerApp,
    run_config: UserConfig,
    load_app: AppLoader,
    sites: Sequence[UserConfig],
    *,
    workers: int,
    gpus: float = 0.0,
) -> None:
    """Run a ServerApp and its sites' ClientApps on Flower's Ray engine.

    Args:
        server_app: The coordinator's app; runs in a thread of this process.
        run_config: Its run configuration.
        load_app: Returns the ClientApp; a module-level function.
        sites: Flower's node configuration of every site.
        workers: Sites that compute at the same time.
        gpus: Share of a GPU that each of them gets.

    Raises:
        ConfigurationError: If Ray is not installed.
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
        run_simulation(
            server_app=_Configured(server_app, run_config),
            client_app=_OfSites(load_app, sites),
            num_supernodes=len(sites),
            backend_config={
                "init_args": {"num_cpus": workers, "logging_level": 40, "log_to_driver": False},
                "client_resources": {"num_cpus": 1, "num_gpus": gpus},
            },
        )
    finally:
        # Flower's engine sets it for its own processes and leaves it to all later ones.
        if python_path is None:
            os.environ.pop("PYTHONPATH", None)
        else:
            os.environ["PYTHONPATH"] = python_path


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
