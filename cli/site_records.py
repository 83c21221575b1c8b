"""``fedscan site ledger`` and ``audit``: what was spent, and what was asked and answered."""

from __future__ import annotations

from typing import Annotated

import typer
from rich.table import Table
from rich.text import Text

from .console import output
from .options import SITE_HOME, SiteHomeOption


def register(app: typer.Typer) -> None:
    """Add the commands to those of a site."""
    app.command()(ledger)
    app.command()(audit)


def ledger(
    data: Annotated[str, typer.Argument(help="Data set; all if not given.")] = "",
    home: SiteHomeOption = SITE_HOME,
) -> None:
    """Check and print what each data set has spent of its patients' privacy."""
    from ..client.policy import load_policy
    from ..client.steward.data_sets import Registry
    from ..client.steward.home import SiteHome
    from .ledger import ledger as show

    site = SiteHome.open(home)
    registry = Registry(site)
    for name in [registry.get(data).name] if data else sorted(registry.data_sets()):
        folder = site.state(name) / "ledger"
        if folder.is_dir():
            show(folder, delta=load_policy(site.policy_of(name)).delta, as_json=False)
        else:
            output().print(Text(f"Data set {name}: nothing was spent."))


def audit(
    home: SiteHomeOption = SITE_HOME,
    verify: Annotated[
        bool, typer.Option("--verify", help="Only check that no line was changed.")
    ] = False,
    noted: Annotated[
        str, typer.Option(help="A head noted earlier; the log must still contain its line.")
    ] = "",
    as_json: Annotated[
        bool, typer.Option("--json", help="Print the entries as JSON lines.")
    ] = False,
) -> None:
    """Show who asked what, what was answered and what left; each line is checked first."""
    from ..client.steward.home import SiteHome
    from ..common.audit import AuditHead, AuditLog
    from ..common.audit import verify as check

    site = SiteHome.open(home)
    head = check(site.audit, AuditHead.parse(noted) if noted else None)
    if verify:
        output().print(Text(f"All {head.length} lines are as they were written. Head: {head}"))
        return
    table = Table("Line", "Time (UTC)", "Event", "Facts")
    for entry in AuditLog(site.audit).entries():
        if as_json:
            typer.echo(entry.to_line().decode("ascii"), nl=False)
        facts = ", ".join(f"{key} {_short(value)}" for key, value in entry.facts.items())
        table.add_row(str(entry.sequence), entry.time[:19], entry.event, Text(facts))
    if not as_json:
        output().print(table)


def _short(value: object) -> str:
    text = str(value)
    return text if len(text) <= 24 else f"{text[:21]}…"
