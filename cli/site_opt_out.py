"""``fedscan site opt-out …``: patients who want no part in any study."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer
from rich.text import Text

from ..common.counted import counted
from ..errors import DataError
from .console import output
from .group import FedscanGroup
from .json_output import print_json
from .options import SITE_HOME, JsonOption, SiteHomeOption
from .progress import progress

_ADD_EPILOG = "Example: `fedscan site opt-out add withdrawn.txt`"
_CHECK_EPILOG = """\
Examples:

- `fedscan site opt-out check withdrawn.txt` looks for these patients, also by their identifiers.

- `fedscan site opt-out check` looks for everybody on the list.
"""

_Identifiers = typer.Argument(help="Patient identifiers as headers have them, one a line.")

app = typer.Typer(
    name="opt-out",
    cls=FedscanGroup,
    no_args_is_help=True,
    rich_markup_mode="markdown",
    help="Patients who want no part in any study: they are left out of every later round.",
)


def register(parent: typer.Typer) -> None:
    """Add the commands to those of a site."""
    app.command(epilog=_ADD_EPILOG)(add)
    app.command("list", epilog="Example: `fedscan site opt-out list`")(show)
    app.command(epilog=_CHECK_EPILOG)(check)
    parent.add_typer(app)


def add(
    file: Annotated[Path, _Identifiers],
    home: SiteHomeOption = SITE_HOME,
    as_json: JsonOption = False,
) -> None:
    """Put patients on the list, and remove all that fedscan keeps of them.

    From now on they are in no round of any study, in no data set of this site, whatever is
    approved. The list holds keyed digests, no identifiers. Nobody is taken off it.
    """
    from ..client.steward.home import SiteHome
    from ..client.steward.opt_outs import CANNOT_UNDO, add_opt_outs, read_identifiers

    result = add_opt_outs(SiteHome.open(home), read_identifiers(file))
    if as_json:
        facts = {"added": result.new_patients, "already": result.already, "total": result.total}
        print_json({**facts, "removed": result.removed_files, "cannot": CANNOT_UNDO})
        return
    console = output()
    console.print(
        Text(
            f"New on the list: {counted(result.new_patients, 'patient')}; "
            f"on it already: {result.already}."
        )
    )
    console.print(
        Text(f"Removed of what was kept of them: {counted(result.removed_files, 'file')}.")
    )
    console.print(Text(CANNOT_UNDO))
    console.print(Text(f"`fedscan site opt-out check {file}` proves that nothing is left."))


def show(home: SiteHomeOption = SITE_HOME, as_json: JsonOption = False) -> None:
    """Show how many patients opted out, and when."""
    from ..client.steward.home import SiteHome
    from ..client.steward.opt_outs import CANNOT_UNDO, require_list

    opt_outs = require_list(SiteHome.open(home))
    times: dict[str, int] = {}
    for one in opt_outs.patients:
        times[one.time] = times.get(one.time, 0) + 1
    if as_json:
        print_json({"total": len(opt_outs.patients), "added": times})
        return
    console = output()
    for time, count in times.items():
        console.print(Text(f"{time}: {counted(count, 'patient')}"))
    console.print(Text(f"{counted(len(opt_outs.patients), 'patient')} opted out in all."))
    if opt_outs.patients:
        console.print(Text(CANNOT_UNDO))


def check(
    file: Annotated[Path | None, _Identifiers] = None,
    home: SiteHomeOption = SITE_HOME,
    as_json: JsonOption = False,
) -> None:
    """Look through the whole home for anything that is left of patients who opted out.

    Every file is searched for the keys that stand for them, mirrored scans by their headers.
    With FILE, logs and lists are searched for the identifiers, too. Ends with status 3 if
    anything is found.
    """
    from ..client.steward.home import SiteHome
    from ..client.steward.opt_outs import read_identifiers, remains

    with progress() as report:
        remainder = remains(
            SiteHome.open(home), read_identifiers(file) if file else (), report=report
        )
    if as_json:
        print_json(
            {"patients": remainder.patients, "left": remainder.files, "scans": remainder.scans}
        )
        raise typer.Exit(DataError.exit_status if remainder.files else 0)
    console = output()
    for name, files in remainder.scans.items():
        if files:
            console.print(
                Text(f"{name}: {files} of their files are in the hospital's folder, unread.")
            )
    for path in remainder.files:
        console.print(Text(str(path)))
    if remainder.files:
        raise DataError(
            f"Left of {counted(remainder.patients, 'patient')} who opted out: "
            f"{counted(len(remainder.files), 'file')}.",
            hint="`fedscan site opt-out add FILE` removes what it knows; remove the rest by hand.",
        )
    console.print(
        Text(f"Nothing is left here of {counted(remainder.patients, 'patient')} who opted out.")
    )
