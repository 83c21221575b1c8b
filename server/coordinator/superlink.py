"""Flower's SuperLink, so changed that a busy machine has time to start a study's server.

Flower takes a task back from a process that has not reported within 30 seconds of being started,
and starts another one. A process that only needs longer for its imports would be started again and
again. Here it has :data:`START_S`; once it has reported, a process that falls silent is given up as
soon as before.

The changed constants are private to Flower 1.41; a release that lacks them does not start.
"""

from __future__ import annotations

from flwr.supercore.corestate import sql_corestate as state

#: Seconds a process has until it must have reported.
START_S = 180.0


def give_time() -> None:
    """Change how long Flower waits for a started process.

    Raises:
        AttributeError: If this release of Flower does it in another way.
    """
    silent = state.HEARTBEAT_PATIENCE * state.HEARTBEAT_DEFAULT_INTERVAL
    # Claimed tasks wait for the interval, running ones for interval times patience.
    state.HEARTBEAT_DEFAULT_INTERVAL = START_S  # type: ignore[assignment]
    state.HEARTBEAT_PATIENCE = silent / START_S  # type: ignore[assignment]


def main() -> None:
    """Run the SuperLink; takes the arguments of ``flower-superlink``."""
    from flwr.superlink.cli import flower_superlink

    give_time()
    flower_superlink()


if __name__ == "__main__":
    main()
