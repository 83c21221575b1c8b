"""``fedscan site labels``: the table that tells what a data set's images show."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer
from rich.text import Text

from ..errors import ConfigurationError
from .console import output
from .json_output import print_json
from .options import SITE_HOME, JsonOption, LabelsByOption, SiteHomeOption
from .progress import progress

if TYPE_CHECKING:
    from ..client.steward.data_sets import DataSet
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
    data. No budget is given back and none is taken, but a round that is repeated on changed labels
    is another release and is paid for again. Change it before a study, not between its rounds.
    """
    from ..client.steward.data_sets import Registry
    from ..client.steward.home import SiteHome

    site = SiteHome.open(home)
    entry = Registry(site).get(name)
    if table is not None:
        entry = replace(entry, labels=str(table.resolve()), labels_by=labels_by or "")
    if not entry.labels:
        raise ConfigurationError(
            f"The data set {name} has no table of labels.",
            hint=f"`fedscan site labels {name} TABLE` gives it one.",
        )
    fit = fit_of(entry)
    if table is not None:
        Registry(site).change(entry)
        site.log.append("labels-changed", data=name)
    if as_json:
        print_json({"data": name, "table": entry.labels, "labels": fit})
        return
    print_fit(fit)


def fit_of(entry: DataSet) -> LabelReport | None:
    """Read a data set's headers beside its table, if it has one.

    Raises:
        DataError: If the table cannot be read, or no row of it is about an image there.
    """
    from ..imaging.dicom.index import index_folder
    from ..imaging.labels.fit import require_fitting
    from ..imaging.labels.table import read_table
    from ..imaging.settings import DataSettings
    from ..model.words.tables import shipped_words

    if not entry.labels:
        return None
    table = read_table(Path(entry.labels), shipped_words(), entry.labels_by)
    with progress() as report:
        found = index_folder(Path(entry.folder), DataSettings(), labels=table, progress=report)
    require_fitting(found.labels)
    return found.labels


def print_fit(fit: LabelReport | None) -> None:
    """Print how a table fits, if there is one."""
    from ..imaging.labels.fit import fit_sentences

    for line in fit_sentences(fit) if fit else ():
        output().print(Text(line))
