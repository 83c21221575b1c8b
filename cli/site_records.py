"""``fedscan site ledger``, ``audit`` and ``log``: what was spent, asked and answered."""

from __future__ import annotations

from dataclasses import asdict
from typing import Annotated

import typer
from rich.table import Table
from rich.text import Text

from .audit_lines import FollowOption, LastOption, shortened, show_log
from .console import output
from .json_output import print_json
from .options import SITE_HOME, JsonOption, SiteHomeOption


def register(app: typer.Typer) -> None:
    """Add the commands to those of a site."""
    app.command()(ledger)
    app.command()(audit)
    app.command()(log)


def ledger(
    data: Annotated[str, typer.Argument(help="Data set; all if not given.")] = "",
    home: SiteHomeOption = SITE_HOME,
    as_json: JsonOption = False,
) -> None:
    """Check and print what each data set has spent of its patients' privacy."""
    from ..client.policy import load_policy
    from ..client.spending import known_spending
    from ..client.steward.data_sets import Registry
    from ..client.steward.home import SiteHome
    from ..privacy.ledger.view import LedgerView
    from .ledger import ledger_document, print_ledger

    site = SiteHome.open(home)
    registry = Registry(site)
    document = {}
    for name in [registry.get(data).name] if data else sorted(registry.data_sets()):
        folder, policy = site.state(name) / "ledger", load_policy(site.policy_of(name))
        # An older copy is shown as it is; a ledger that is lost must not look like one unspent.
        view = (
            LedgerView.read(folder, colluding_sites=policy.max_colluding_sites)
            if folder.is_dir()
            else known_spending(
                site.folder, site.state(name), allow_non_private=policy.allow_non_private
            )
        )
        delta = policy.delta
        if as_json:
            document[name] = ledger_document(view, delta) if view else None
        elif view:
            print_ledger(folder, view, delta)
        else:
            output().print(Text(f"Data set {name}: nothing was spent."))
    if as_json:
        print_json(document)


def audit(
    home: SiteHomeOption = SITE_HOME,
    verify: Annotated[
        bool, typer.Option("--verify", help="Only check that no line was changed.")
    ] = False,
    noted_head: Annotated[
        str,
        typer.Option("--noted", help="A head noted earlier; the log must still contain its line."),
    ] = "",
    as_json: JsonOption = False,
) -> None:
    """Show who asked what, what was answered and what left; each line is checked first."""
    from ..client.steward.home import SiteHome
    from ..common.audit import AuditHead, AuditLog
    from ..common.audit import verify as check

    site = SiteHome.open(home)
    head = check(site.audit, AuditHead.parse(noted_head) if noted_head else None)
    if as_json:
        entries = [] if verify else [asdict(entry) for entry in AuditLog(site.audit).entries()]
        print_json({"length": head.length, "head": str(head), "entries": entries})
        return
    if verify:
        output().print(Text(f"All {head.length} lines are as they were written. Head: {head}"))
        return
    table = Table("Line", "Time (UTC)", "Event", "Facts")
    for entry in AuditLog(site.audit).entries():
        facts = ", ".join(f"{key} {shortened(value)}" for key, value in entry.facts.items())
        table.add_row(str(entry.sequence), entry.time[:19], entry.event, Text(facts))
    output().print(table)


def log(
    last: LastOption = 20,
    follow: FollowOption = False,
    home: SiteHomeOption = SITE_HOME,
    as_json: JsonOption = False,
) -> None:
    """Show the newest of what was asked, answered and decided here, a line each.

    They are the lines of the audit log, of which `fedscan site audit` shows all.
    """
    from ..client.steward.home import SiteHome

    show_log(SiteHome.open(home).audit, last=last, follow=follow, as_json=as_json)
