"""Show a running federation: a live table on a terminal, one line per round anywhere else."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from rich.console import Group
from rich.live import Live
from rich.progress_bar import ProgressBar
from rich.text import Text

from ..errors import LedgerError
from ..privacy.ledger.view import LedgerView
from ..server.events import Event, Observer
from .console import status
from .live_table import LiveTable


@contextmanager
def watch(sites: Path, ceiling: float) -> Iterator[Observer]:
    """Show what a simulation does while the block runs.

    Args:
        sites: Folder of the sites' states, to read their ledgers.
        ceiling: Epsilon that each site may spend.

    Yields:
        The observer to hand to the simulation.
    """
    console = status()
    state = LiveTable(lambda site: recorded_epsilon(sites / site / "ledger"), ceiling)
    if not console.is_terminal:

        def log(event: Event) -> None:
            line = state.take(event)
            if line:
                console.print(Text(line))

        yield log
        return
    with Live(console=console, refresh_per_second=4) as live:

        def show(event: Event) -> None:
            state.take(event)
            bar = ProgressBar(total=1.0, completed=state.share, width=60)
            live.update(Group(state.table(), Text(state.stage), bar))

        yield show


def recorded_epsilon(ledger: Path) -> float | None:
    """Return the epsilon that a ledger's last payment brought its data set to, if any."""
    try:
        rows = LedgerView.read(ledger).rows()
    except LedgerError:
        return None  # no ledger yet, or a run without privacy: nothing to show
    epsilons = [row.epsilon for row in rows if row.epsilon is not None]
    return epsilons[-1] if epsilons else None
