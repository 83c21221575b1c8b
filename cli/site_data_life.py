"""``fedscan site move-data`` and ``retire-data``: what becomes of a data set."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer
from rich.text import Text

from .asking import YesOption, confirmed
from .console import output
from .json_output import print_json
from .options import SITE_HOME, JsonOption, SiteHomeOption
from .progress import progress

_Name = Annotated[str, typer.Argument(help="Name of the data set.", metavar="NAME")]


def register(app: typer.Typer) -> None:
    """Add the commands to those of a site."""
    app.command("move-data", epilog="Example: `fedscan site move-data chest --folder /new/chest`")(
        move_data
    )
    app.command("retire-data", epilog="Example: `fedscan site retire-data chest`")(retire_data)


def move_data(
    name: _Name,
    folder: Annotated[Path, typer.Option(help="Where its scans lie now.")],
    home: SiteHomeOption = SITE_HOME,
    as_json: JsonOption = False,
) -> None:
    """Say that a data set's scans lie in another folder; its ledger and approvals stay.

    Best between studies. Under the same names within the folder nothing is another scan for a study
    that runs.
    """
    from ..client.steward.data_set_life import move_data_set
    from ..client.steward.home import SiteHome

    with progress() as report:
        entry = move_data_set(SiteHome.open(home), name, folder, report=report)
    if as_json:
        print_json({"data": name, "folder": entry.folder})
        return
    output().print(Text(f"The data set {name} is read from {entry.folder}."))


def retire_data(
    name: _Name,
    yes: YesOption = False,
    home: SiteHomeOption = SITE_HOME,
    as_json: JsonOption = False,
) -> None:
    """Use a data set in no study any more, for good; its ledger stays.

    Approvals for it are taken back. Its name stays taken, and its patients are still looked for
    when a data set is added: what they have spent is spent. With `--json` nobody is asked.
    """
    from ..client.steward.data_set_life import retire_data_set
    from ..client.steward.home import SiteHome

    site = SiteHome.open(home)
    question = f"Use the data set {name} in no study any more?"
    if not confirmed(question, yes=yes or as_json):
        output().print(Text("Nothing was changed."))
        return
    studies = retire_data_set(site, name)
    if as_json:
        print_json({"retired": name, "withdrawn": studies})
        return
    output().print(Text(f"The data set {name} is retired."))
    for study in studies:
        output().print(Text(f"The study {study[:12]} is not approved any more."))
