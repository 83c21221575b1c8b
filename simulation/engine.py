"""One federation of simulated sites on one of the engines."""

from __future__ import annotations

import logging
from collections.abc import Sequence
from typing import Literal

from flwr.app import Context, RecordDict

from ..client.site import Site
from ..server.app import server_app
from ..server.events import Observer
from ..server.job import ServerJob
from .apps import load_client_app
from .grid import InProcessGrid
from .machine.devices import gpus_per_site
from .ray_engine import RayCluster, run_on_ray
from .sites import node_config

Engine = Literal["in-process", "ray"]


def run_federation(
    job: ServerJob,
    sites: Sequence[Site],
    *,
    engine: Engine,
    workers: int,
    observe: Observer,
    cluster: RayCluster | None = None,
) -> None:
    """Run the coordinator's and the sites' unmodified apps until the generator is saved.

    Args:
        job: What the coordinator is told.
        sites: The sites.
        engine: fedscan's in-process grid, or Flower's Ray engine.
        workers: Sites that compute at the same time; the results do not depend on it.
        observe: Told what happens; called in a thread of its own by the Ray engine.
        cluster: Where the Ray engine runs, if not on this machine alone.

    Raises:
        FedscanError: Whatever the coordinator raises.
    """
    # Flower logs every aggregation; the observer says what matters.
    logging.getLogger("flwr").setLevel(logging.WARNING)
    app, configs = server_app(observe), [node_config(site) for site in sites]
    if engine == "ray":
        gpus = 0.0 if cluster else gpus_per_site(sites, workers)
        if gpus:  # a site's process sees no GPU but its own
            configs = [{**config, "device": "cuda"} for config in configs]
        run_on_ray(
            app,
            job.to_config(),
            load_client_app,
            configs,
            workers=workers,
            gpus=gpus,
            cluster=cluster,
        )
        return
    with InProcessGrid(load_client_app, configs, workers=workers) as grid:
        context = Context(grid.run.run_id, 0, {}, RecordDict(), job.to_config())
        app(grid, context)
