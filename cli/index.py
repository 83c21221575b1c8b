"""``fedscan index``: what a site would train on, and what it set aside and why."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, replace
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer
from rich.table import Table
from rich.text import Text

from ..common.counted import counted
from .console import output
from .json_output import print_json
from .options import (
    AllShowOption,
    ConfigOption,
    JsonOption,
    LabelsByOption,
    LabelsOption,
    SetOption,
    study_from,
)
from .progress import progress

if TYPE_CHECKING:
    from ..imaging.dicom.summary import IndexSummary

_EPILOG = """\
Examples:

- `fedscan index hospitals/hospital-a`

- `fedscan index films --labels labels.csv` says which rows fit, and counts by their findings.

- `fedscan index pictures --labels labels.csv --all-show "chest X-ray"` reads PNG and JPEG with a
table that does not say what kind of images they are.

- `fedscan index scans --cache scans-headers`

- `fedscan index scans --set data.burned_in=refuse_unstated --json`
"""


def register(app: typer.Typer) -> None:
    """Add the command to the application."""
    app.command("index", epilog=_EPILOG)(index)


def index(
    folder: Annotated[
        Path,
        typer.Argument(
            help="One site's folder of DICOM files, any nesting; or public pictures with a table."
        ),
    ],
    labels: LabelsOption = None,
    labels_by: LabelsByOption = None,
    all_show: AllShowOption = "",
    cache: Annotated[
        Path | None,
        typer.Option(
            help="Folder that remembers headers, encrypted, so that the next run reads only "
            "files that are new or have changed. Keep it where the scans are.",
        ),
    ] = None,
    config: ConfigOption = None,
    sets: SetOption = None,
    to_share: Annotated[
        bool,
        typer.Option("--to-share", help="Without small numbers, and rounded: for others to see."),
    ] = False,
    as_json: JsonOption = False,
) -> None:
    """Show what a site would train on, and what it would set aside and why.

    Only headers are read, nothing is written but what --cache names, and no name, identifier,
    date or free text is shown. The counts are exact, so they are for the site itself; with
    `--to-share` nothing is told of fewer than 10 patients.

    Pictures (PNG, JPEG) with a table are read and counted as `fedscan pretrain` reads them. The
    table is that of `--labels`, or a metadata.csv or labels.csv among them.
    """
    from ..client.data.holdout import count_patients
    from ..client.policy import SitePolicy
    from ..imaging.dicom.summary import shareable, shared_sentence, summarise
    from ..imaging.examples.picture_summary import find_pictures, summarise_pictures
    from ..imaging.labels.fit import fit_sentences
    from ..imaging.labels.index_with_table import IndexRequest, index_with_table
    from ..model.words.tables import read_vocabulary, shipped_words, study_words
    from ..server.job import base_of

    study = study_from(config, sets)
    request = IndexRequest(
        folder=folder,
        settings=study.data,
        labels=labels,
        labels_by=labels_by or "",
        words=study_words(study.vocabulary, read_vocabulary(base_of(study))),
        cache=cache,
    )
    fraction, patients = study.data.holdout_fraction, None
    with progress() as report:
        # Pictures are for bases in the making, which begin with the words that ship.
        words = study_words(study.vocabulary, shipped_words())
        pictures = find_pictures(replace(request, words=words), all_show)
        if pictures is not None:
            summary = summarise_pictures(pictures, progress=report)
        else:
            contents = index_with_table(request, progress=report)
            summary, patients = summarise(contents), count_patients(contents, fraction)
    if to_share:
        summary = shareable(summary)
    if as_json:
        print_json(asdict(summary))
        return
    console = output()
    console.print(Text(_totals(summary, of_pictures=pictures is not None)))
    if patients is not None and not to_share:
        console.print(Text(patients.sentence(fraction)))
        if patients.training < (least := SitePolicy().min_patients):
            console.print(Text(f"A site's policy asks for {least} unless it says otherwise."))
    if summary.shared_studies:
        console.print(Text(shared_sentence(summary.shared_studies)))
    if summary.labels:
        for line in fit_sentences(summary.labels, of_pictures=pictures is not None):
            console.print(Text(line))
    if summary.captions:
        console.print(_table(("Images of", "Patients", "Slices"), summary.captions))
    for kind, rows in summary.words.items():
        console.print(_table((kind.capitalize(), "Patients", "Slices"), rows))
    if summary.set_aside:
        reasons = {reason: (count,) for reason, count in summary.set_aside.items()}
        console.print(_table(("Set aside because", "Files"), reasons))


def _totals(summary: IndexSummary, *, of_pictures: bool) -> str:
    if of_pictures:
        return f"{counted(summary.patients, 'patient')}, {counted(summary.slices, 'picture')}"
    return (
        f"{counted(summary.patients, 'patient')}, {counted(summary.studies, 'study')}, "
        f"{summary.series} series, {counted(summary.slices, 'slice')}"
    )


def _table(headings: tuple[str, ...], rows: Mapping[str, tuple[int, ...]]) -> Table:
    table = Table(headings[0])
    for heading in headings[1:]:
        table.add_column(heading, justify="right")
    for name, counts in rows.items():
        table.add_row(Text(name), *map(str, counts))
    return table
