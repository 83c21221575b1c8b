"""``fedscan try``: a whole federation of real processes on this machine, in one command."""

from __future__ import annotations

import shlex
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Annotated

import click
import typer
from rich.text import Text

from .asking import YesOption
from .console import status
from .options import SetOption

_EPILOG = """\
Examples:

- `fedscan try` runs a coordinator and two hospitals of made-up patients until Ctrl-C.

- `fedscan try --sites 3 --yes --open` approves everything and opens the dashboard.

- `fedscan try --data hospitals --set federation.rounds=5 --keep` takes your own folders.

- `fedscan try --stop`, in another terminal, ends it.
"""


def register(app: typer.Typer) -> None:
    """Add the command to the application."""
    app.command("try", epilog=_EPILOG)(try_out)


def try_out(
    context: typer.Context,
    folder: Annotated[Path, typer.Argument(help="A new folder for everything.")] = Path("tryout"),
    data: Annotated[
        Path | None,
        typer.Option(help="Folder with one sub-folder of DICOM per site. [default: phantoms]"),
    ] = None,
    sites: Annotated[int, typer.Option(min=2, max=5, help="How many phantom hospitals.")] = 2,
    sets: SetOption = None,
    yes: YesOption = False,
    show: Annotated[bool, typer.Option("--open", help="Open the dashboard in a browser.")] = False,
    keep: Annotated[bool, typer.Option("--keep", help="Keep the folder at the end.")] = False,
    stop: Annotated[bool, typer.Option("--stop", help="End the try-out that runs there.")] = False,
) -> None:
    """Try a federation: coordinator, proxy and sites as real processes on this machine.

    It runs the commands of a real federation and shows each of them: keys, enrolment, data,
    a small study, and each steward's approval, which it asks you for. It goes on until Ctrl-C or
    `--stop`; then its processes end, and its folder is removed.
    """
    from ..simulation.tryout.own_folder import stop_in
    from ..simulation.tryout.plan import Tryout, free_ports, phantom_sites, sites_below
    from ..simulation.tryout.run import require_programs, run_tryout

    if stop:
        stop_in(folder)
        return
    require_programs()
    port, superlink_port, dashboard_port = free_ports(3)
    tryout = Tryout(
        folder=folder,
        scans=sites_below(data) if data else phantom_sites(folder, sites),
        has_phantoms=data is None,
        port=port,
        superlink_port=superlink_port,
        dashboard_port=dashboard_port,
        settings=sets or (),
        yes=yes,
    )
    run_tryout(tryout, _typed(context.find_root().command), _say, show=show, keep=keep)


def _typed(program: click.Command) -> Callable[[Sequence[str]], None]:
    """Return what shows a command of the program and runs it as if it had been typed."""

    def run(words: Sequence[str]) -> None:
        status().print(Text(f"$ fedscan {shlex.join(words)}", style="bold"))
        if code := program.main(list(words), standalone_mode=False):
            raise typer.Exit(code)

    return run


def _say(line: str) -> None:
    status().print(Text(line))
