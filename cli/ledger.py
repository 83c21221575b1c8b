"""``fedscan ledger``: what a data set has spent of its patients' privacy."""

from __future__ import annotations

import json
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer
from rich.text import Text

from .console import output
from .json_output import print_json
from .options import JsonOption

if TYPE_CHECKING:
    from ..privacy.ledger.view import LedgerView

_EPILOG = """\
Examples:

- `fedscan ledger run/sites/hospital-a/ledger`

- `fedscan ledger restored/ledger --noted 41:9f…` after a restored backup.

- `fedscan ledger run --json` prints the ledgers of all sites of a simulation.
"""


def register(app: typer.Typer) -> None:
    """Add the command to the application."""
    app.command("ledger", epilog=_EPILOG)(ledger)


def ledger(
    path: Annotated[Path, typer.Argument(help="A ledger's folder, or a run that holds some.")],
    delta: Annotated[
        float, typer.Option(min=0, max=1, help="Delta that the total epsilon is stated at.")
    ] = 1e-5,
    noted_head: Annotated[
        str,
        typer.Option(
            "--noted", help="A head noted earlier: an older copy of the ledger lacks its line."
        ),
    ] = "",
    as_json: JsonOption = False,
) -> None:
    """Check and print the durable record of privacy spent, over all studies and restarts.

    Damage to a ledger is an error that names the line. The total is composed anew from the
    recorded mechanisms; epsilons are never added up.
    """
    from ..privacy.ledger.journal import LedgerHead
    from ..privacy.ledger.view import LedgerView

    head = LedgerHead.parse(noted_head) if noted_head else None
    views = {folder: LedgerView.read(folder, head) for folder in _ledgers(path)}
    if as_json:
        print_json({str(folder): ledger_document(view, delta) for folder, view in views.items()})
        return
    for folder, view in views.items():
        print_ledger(folder, view, delta)


def ledger_document(view: LedgerView, delta: float) -> dict[str, Any]:
    """Return all that a ledger holds, and what it comes to at a delta, as JSON values."""
    from ..privacy.joint.plan import both_epsilons

    total, alone = both_epsilons(view.book.shares(), delta)
    both = {"epsilon": total, "collusion_epsilon": alone, "delta": delta}
    return {**json.loads(view.to_json()), **both}


def print_ledger(folder: Path, view: LedgerView, delta: float) -> None:
    """Print a ledger's table, and what it comes to at a delta."""
    from ..privacy.joint.plan import both_epsilons

    total, alone = both_epsilons(view.book.shares(), delta)
    console = output()
    console.print(Text(str(folder), style="bold"))
    console.print(view.table())
    if not view.book.has_joint:
        console.print(Text(f"Spent: epsilon {total:.4g} at delta {delta:g}."))
        return
    console.print(
        Text(
            f"Spent: epsilon {total:.4g} at delta {delta:g} against the coordinator and the few "
            f"sites that may work with it; {alone:.4g} if all other sites worked together, or the "
            "cryptography fell."
        )
    )


def _ledgers(path: Path) -> list[Path]:
    """The folder itself, or the ledgers of a run's sites."""
    return sorted(path.glob("sites/*/ledger")) or [path]
