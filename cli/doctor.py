"""``fedscan doctor``: what is wrong at a site or a coordinator, and what to do about it."""

from __future__ import annotations

import json
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer
from click.core import ParameterSource
from rich.text import Text

from ..common.counted import counted
from ..errors import ConfigurationError
from .console import output
from .options import JsonOption

if TYPE_CHECKING:
    from ..federation.diagnosis.finding import Finding

_EPILOG = """\
Examples:

- `fedscan doctor --site site` before a study, and whenever something does not work.

- `fedscan doctor --coordinator coordinator --json`

The exit status is that of the first problem: 2 configuration, 3 data, 5 ledger or audit log, 10
network or certificates. Warnings leave it at 0.
"""

_STYLES = {"ok": "green", "warning": "yellow", "problem": "bold red", "skipped": "dim"}


def register(app: typer.Typer) -> None:
    """Add the command to the application."""
    app.command("doctor", epilog=_EPILOG)(doctor)


def doctor(
    context: typer.Context,
    site: Annotated[
        Path | None,
        typer.Option("--site", help="A site's home folder.", envvar="FEDSCAN_SITE_HOME"),
    ] = None,
    coordinator: Annotated[
        Path | None,
        typer.Option(
            "--coordinator", help="A coordinator's folder.", envvar="FEDSCAN_COORDINATOR_HOME"
        ),
    ] = None,
    as_json: JsonOption = False,
) -> None:
    """Check everything that a site or a coordinator needs; say what is wrong and what to do.

    Network, certificates, clock, disk, policy, ledgers, data and versions are looked at. Nothing
    is changed or spent, and no patient is named.
    """
    from ..federation.diagnosis.finding import exit_status

    # What is typed goes before what the environment of this machine says.
    homes = {
        name
        for name in ("site", "coordinator")
        if context.get_parameter_source(name) is ParameterSource.COMMANDLINE
    }
    if len(homes) == 1:
        site, coordinator = (site, None) if "site" in homes else (None, coordinator)
    if (site is None) == (coordinator is None):
        raise ConfigurationError(
            "Say which side to look at.", hint="Give --site HOME or --coordinator HOME."
        )
    if site is not None:
        from ..client.doctor import examine_site

        look = examine_site(site)
    else:
        from ..server.coordinator.doctor import examine_coordinator

        look = examine_coordinator(coordinator or Path())
    findings = []
    for finding in look:
        findings.append(finding)
        if not as_json:
            _show(finding)
    if as_json:
        typer.echo(json.dumps([asdict(finding) for finding in findings], indent=2))
    else:
        _summarise(findings)
    if status := exit_status(findings):
        raise typer.Exit(status)


def _show(finding: Finding) -> None:
    console = output()
    state = Text(f"{finding.state:<8}", style=_STYLES[finding.state])
    console.print(Text.assemble(state, f"{finding.check}: ", finding.message))
    if finding.hint:
        console.print(Text(f"{'':<8}→ {finding.hint}"))


def _summarise(findings: list[Finding]) -> None:
    counts = {state: sum(f.state == state for f in findings) for state in ("problem", "warning")}
    if not any(counts.values()):
        output().print(Text(f"All is well ({len(findings)} checks)."))
        return
    totals = " and ".join(counted(number, state) for state, number in counts.items())
    output().print(Text(f"{totals} in {counted(len(findings), 'check')}."))
