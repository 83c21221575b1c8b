"""Flower's SuperNode, so changed that it takes no code from the coordinator.

Flower would download the bundle that the coordinator ships and run what lies in it. Here the
node never asks for it: it hands its ClientApp the bundle that the site's own package builds, and
a run whose bundle has another hash is marked as refused. It also runs no other kind of task, for
Flower lets the coordinator choose one ("agent app") that would run a bundle's code in another
process.

It also gives the process of an app time to start. Flower takes it for dead after half a minute
and starts another one, which on a busy machine never ends, because each makes the others slower.
Nothing is waited for in vain (:mod:`.transfers`, :mod:`.presence`), or for long (:mod:`.pace`).

The changed functions are private to Flower 1.41; a release that lacks one of them does not
start.
"""

from __future__ import annotations

import os
import traceback
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import replace
from datetime import timedelta
from pathlib import Path
from typing import Any

from flwr.supercore.date import now
from flwr.supercore.exit import ExitCode, flwr_exit
from flwr.supercore.fab import Fab
from flwr.supercore.run import Run
from flwr.supernode import start_client_internal as node
from flwr.supernode.nodestate.in_memory_nodestate import InMemoryNodeState

from ... import __version__
from ...federation.bundle import build_bundle, bundle_hash
from ..steward.home import SiteHome
from . import pace, presence, transfers
from .marks import ACCEPTED, HOME_VARIABLE, OWN, REFUSED

#: How long an app's process may take to start.
_START = timedelta(minutes=5)

# Where these stand in what Flower's connection yields.
_GET_RUN, _GET_FAB, _PULL_OBJECT, _CONFIRM = 3, 4, 5, 7


def guarded_run(run: Run, home: SiteHome) -> Run:
    """Return a run as the site runs it: with its own bundle, or refused.

    Args:
        run: What the coordinator says of the run.
        home: The site's home; a refusal is put on record there.
    """
    is_own_bundle = run.fab_hash == bundle_hash()
    if not is_own_bundle:
        hash_text = run.fab_hash if len(run.fab_hash) <= 64 and run.fab_hash.isalnum() else ""
        home.log.append("bundle-refused", run=run.run_id, hash=hash_text)
    return replace(
        run,
        fab_id=OWN if is_own_bundle else REFUSED,
        fab_version=__version__,
        fab_hash=bundle_hash(),
        override_config={},
        primary_task_type="",
    )


def own_fab(fab_hash: str, run_id: int) -> Fab:
    """Return the site's own bundle, whatever the coordinator has."""
    return Fab(hash_str=bundle_hash(), content=build_bundle(), verifications={})


def guard(connect: Callable[..., Any], home: SiteHome) -> Callable[..., Any]:
    """Wrap Flower's connection so that its runs are guarded and its bundles the site's own."""

    @contextmanager
    def guarded(*arguments: Any, **options: Any) -> Iterator[tuple[Any, ...]]:
        with connect(*arguments, **options) as parts:
            own_parts = list(parts)
            own_parts[_GET_RUN] = lambda run_id: guarded_run(parts[_GET_RUN](run_id), home)
            own_parts[_GET_FAB] = own_fab
            for part in (_PULL_OBJECT, _CONFIRM):
                own_parts[part] = transfers.given_up(parts[part])
            yield tuple(own_parts)

    return guarded


def announced(connect: Callable[..., Any], home: SiteHome) -> Callable[..., Any]:
    """Wrap Flower's connection so that the daemon sees when the coordinator has taken the node."""

    @contextmanager
    def connected(*arguments: Any, **options: Any) -> Iterator[tuple[Any, ...]]:
        with connect(*arguments, **options) as parts:
            (home.run / ACCEPTED).touch()
            yield parts

    return connected


def with_patience(claim: Callable[[Any, int], str | None]) -> Callable[[Any, int], str | None]:
    """Wrap the claim of a task so that its process has time to say for the first time it lives."""

    def claim_task(state: Any, task_id: int) -> str | None:
        token = claim(state, task_id)
        if token is not None:
            state.task_token_store[task_id].active_until = now() + _START
        return token

    return claim_task


def main() -> None:
    """Run the node; takes the arguments of ``flower-supernode``."""
    from flwr.supernode.cli import flower_supernode

    home = SiteHome.open(Path(os.environ[HOME_VARIABLE]))
    node._init_connection = guard(  # type: ignore[assignment]
        announced(node._init_connection, home), home
    )
    InMemoryNodeState.claim_task = with_patience(  # type: ignore[assignment, method-assign]
        InMemoryNodeState.claim_task
    )
    transfers.install()
    presence.install()
    pace.install()
    try:
        flower_supernode()
    except Exception:
        traceback.print_exc()
    # Flower returns when the coordinator refuses the node, and its server for apps, which is a
    # thread, would keep the process: the daemon would take a node that is deaf for a living one.
    flwr_exit(ExitCode.SUPERNODE_CONNECTION_ERROR, "The node has ended.")


if __name__ == "__main__":
    main()
