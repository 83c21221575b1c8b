"""``fedscan site labels``: the table that tells what a data set's images show."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer
from rich.text import Text

from .console import output
from .json_output import print_json
from .options import SITE_HOME, JsonOption, LabelsByOption, SiteHomeOption
from .progress import progress

if TYPE_CHECKING:
    from ..imaging.labels.source import LabelReport

_LABELS_EPILOG = """\
Examples:

- `fedscan site labels chest` says how many rows fit, what does not, and what contradicts itself.

- `fedscan site labels chest labels-2.csv --labels-by accession`
"""


def register(app: typer.Typer) -> None:
    """Add the command to those of a site."""
    app.command("labels", epilog=_LABELS_EPILOG)(labels_of)


def labels_of(
    name: Annotated[str, typer.Argument(help="Name of the data set.", metavar="NAME")],
    table: Annotated[
        Path | None, typer.Argument(help="A table to use from now on.", metavar="[TABLE]")
    ] = None,
    labels_by: LabelsByOption = None,
    home: SiteHomeOption = SITE_HOME,
    as_json: JsonOption = False,
) -> None:
    """Show how a data set's table of labels fits its scans, or give it another table.

    A changed table makes a changed data set: what it says of a patient is part of the patient's
    data. No budget is given back and none is taken. A study that is under way goes on with the
    labels it began with; changed ones are for the next study, which spends as any study does.
    """
    from ..client.steward.home import SiteHome
    from ..client.steward.labelling import change_labels

    with progress() as report:
        entry, fit = change_labels(
            SiteHome.open(home), name, table, labels_by=labels_by or "", report=report
        )
    if as_json:
        print_json({"data": name, "table": entry.labels, "labels": fit})
        return
    print_fit(fit)


def print_fit(fit: LabelReport | None) -> None:
    """Print how a data set's table fits, if there is one."""
    from ..imaging.labels.fit import fit_sentences

    for line in fit_sentences(fit, before_study=True) if fit else ():
        output().print(Text(line))
