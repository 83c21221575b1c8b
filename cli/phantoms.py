"""``fedscan phantoms``: write hospitals of generated patients."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer
from rich.table import Table
from rich.text import Text

from .console import output
from .json_output import print_json
from .options import JsonOption
from .progress import progress

_EPILOG = """\
Examples:

- `fedscan phantoms hospitals`

- `fedscan phantoms hospitals --patients 1000,1000,1000 --workers 4 --seed 1`

- `fedscan phantoms hospitals --patients 20x100 --contrasts CT` writes a hundred hospitals.

- `fedscan phantoms ct-only --patients 50 --contrasts CT --matrix 128`
"""


def register(app: typer.Typer) -> None:
    """Add the command to the application."""
    app.command("phantoms", epilog=_EPILOG)(phantoms)


def phantoms(
    out: Annotated[Path, typer.Argument(help="Folder to write into, one folder per hospital.")],
    patients: Annotated[
        str,
        typer.Option(
            help="Patients of each hospital; as many hospitals as numbers, or 20x100 for a hundred "
            "of 20 each."
        ),
    ] = "80,60,40",
    contrasts: Annotated[
        str, typer.Option(help="Contrasts that the hospitals acquire.")
    ] = "T1,T2,CT",
    paired_share: Annotated[
        float, typer.Option(help="Share of patients scanned with every contrast.")
    ] = 0.3,
    mask_share: Annotated[
        float, typer.Option(help="Share of patients with a segmentation beside each series.")
    ] = 1.0,
    slices: Annotated[int, typer.Option(help="Slices of a series.")] = 12,
    coverage: Annotated[
        str, typer.Option(help="Heights of the lowest and the highest slice in mm.")
    ] = "-46,74",
    matrix: Annotated[int, typer.Option(help="Rows and columns of an image.")] = 64,
    seed: Annotated[int, typer.Option(help="The same seed writes the same bytes.")] = 0,
    workers: Annotated[int, typer.Option(help="Processes that write patients in parallel.")] = 1,
    as_json: JsonOption = False,
) -> None:
    """Write phantom hospitals as real DICOM: heads in T1, T2 and CT, with masks beside them.

    No patient is real: heads are deformed from a public brain atlas, with drawn age, sex and
    lesions. Hospitals differ in scanner, noise, case mix and size.
    """
    from ..common.toml_settings import validated
    from ..phantoms.hospital import write_hospitals
    from ..phantoms.settings import PhantomSettings

    settings = validated(
        PhantomSettings,
        {
            "patients": [one for text in patients.split(",") for one in _hospitals(text)],
            "contrasts": [text.strip() for text in contrasts.split(",")],
            "paired_share": paired_share,
            "mask_share": mask_share,
            "slices": slices,
            "coverage": [_number(text) for text in coverage.split(",")],
            "matrix": matrix,
            "seed": seed,
            "workers": workers,
        },
        "The command",
    )
    with progress() as report:
        summaries = write_hospitals(out, settings, progress=report)
    if as_json:
        print_json({"folder": out, "hospitals": summaries})
        return
    table = Table("Hospital", "Patients", "With lesion", "Series", "Images", "Segmentations")
    for summary in summaries:
        series = ", ".join(f"{count} {name}" for name, count in summary.series.items())
        counts = (summary.images, summary.segmentations)
        table.add_row(
            summary.name,
            str(summary.patients),
            str(summary.lesions),
            series,
            *map(str, counts),
        )
    console = output()
    console.print(table)
    console.print(Text(f"They are in {out}"))


def _hospitals(text: str) -> list[int | str]:
    """Read the patients of one hospital, or of several of the same size: 20x100."""
    each, times, count = text.partition("x")
    number = _whole(count)
    if not times or not isinstance(number, int):
        return [_whole(text)]
    return [_whole(each)] * number


def _whole(text: str) -> int | str:
    """Read a whole number; anything else goes on to be refused by name."""
    try:
        return int(text)
    except ValueError:
        return text


def _number(text: str) -> float | str:
    """Read a number; anything else goes on to be refused by name."""
    try:
        return float(text)
    except ValueError:
        return text
