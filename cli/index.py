"""``fedscan index``: what a site would train on, and what it set aside and why."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict
from pathlib import Path
from typing import Annotated

import typer
from rich.table import Table
from rich.text import Text

from .console import output
from .json_output import print_json
from .options import (
    ConfigOption,
    JsonOption,
    LabelsByOption,
    LabelsOption,
    SetOption,
    study_from,
)
from .progress import progress

_EPILOG = """\
Examples:

- `fedscan index hospitals/hospital-a`

- `fedscan index films --labels labels.csv` says which rows fit, and counts by their findings.

- `fedscan index scans --set data.burned_in=refuse_unstated --json`
"""


def register(app: typer.Typer) -> None:
    """Add the command to the application."""
    app.command("index", epilog=_EPILOG)(index)


def index(
    folder: Annotated[Path, typer.Argument(help="One site's folder of DICOM files, any nesting.")],
    labels: LabelsOption = None,
    labels_by: LabelsByOption = None,
    config: ConfigOption = None,
    sets: SetOption = None,
    as_json: JsonOption = False,
) -> None:
    """Show what a site would train on, and what it would set aside and why.

    Only headers are read, nothing is written, and no name, identifier, date or free text is
    shown. The counts are exact, so they are for the site itself.
    """
    from ..imaging.dicom.index import index_folder
    from ..imaging.dicom.summary import shared_sentence, summarise
    from ..imaging.labels.fit import fit_sentences, require_fitting
    from ..imaging.labels.table import read_table
    from ..model.words.tables import shipped_words

    study = study_from(config, sets)
    table = read_table(labels, shipped_words(), labels_by or "") if labels else None
    with progress() as report:
        found = index_folder(folder, study.data, labels=table, progress=report)
    require_fitting(found.labels)
    summary = summarise(found)
    if as_json:
        print_json(asdict(summary))
        return
    counts = ("patients", "studies", "series", "slices")
    totals = ", ".join(f"{getattr(summary, name)} {name}" for name in counts)
    console = output()
    console.print(Text(totals))
    if summary.shared_studies:
        console.print(Text(shared_sentence(summary.shared_studies)))
    if summary.labels:
        for line in fit_sentences(summary.labels):
            console.print(Text(line))
    if summary.captions:
        console.print(_table(("Images of", "Patients", "Slices"), summary.captions))
    if summary.set_aside:
        rows = {reason: (count,) for reason, count in summary.set_aside.items()}
        console.print(_table(("Set aside because", "Files"), rows))


def _table(headings: tuple[str, ...], rows: Mapping[str, tuple[int, ...]]) -> Table:
    table = Table(headings[0])
    for heading in headings[1:]:
        table.add_column(heading, justify="right")
    for name, counts in rows.items():
        table.add_row(Text(name), *map(str, counts))
    return table
