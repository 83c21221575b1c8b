"""``fedscan reader-study``: people judge, blind, which images are real."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Annotated

import typer
from rich.table import Table
from rich.text import Text

from .console import output, status
from .group import FedscanGroup
from .json_output import print_json
from .options import (
    ConfigOption,
    DeviceOption,
    GeneratorArgument,
    JsonOption,
    SetOption,
    run_study_from,
)
from .progress import progress

_EPILOG = """\
Examples:

- `fedscan reader-study init run --data hospitals --out readers -n 50`

- `fedscan reader-study serve readers` and open the address that it prints.

- `fedscan reader-study score readers`
"""

app = typer.Typer(
    cls=FedscanGroup,
    no_args_is_help=True,
    rich_markup_mode="markdown",
    help="Readers judge real and synthetic images blind, on a page of this machine.",
    epilog=_EPILOG,
)


def register(application: typer.Typer) -> None:
    """Add the group to the application."""
    application.add_typer(app, name="reader-study")


@app.command("init", epilog=_EPILOG)
def init(
    model: GeneratorArgument,
    data: Annotated[Path, typer.Option(help="Folder with one sub-folder of DICOM per site.")],
    out: Annotated[Path, typer.Option("--out", "-o", help="Folder of the new study.")],
    count: Annotated[
        int, typer.Option("-n", min=2, help="Images of each kind, real and synthetic.")
    ] = 50,
    name: Annotated[str, typer.Option(help="What readers see as its title.")] = "Reader study",
    device: DeviceOption = "auto",
    config: ConfigOption = None,
    sets: SetOption = None,
    as_json: JsonOption = False,
) -> None:
    """Draw images of a model beside real ones of held-out patients, without names that tell.

    Each synthetic image has the prompt and slice position of a real one. key.json in OUT says
    which is which; readers must not see it. OUT holds patients' images: keep it where those may
    be seen.
    """
    from ..model.storage import find_generator
    from ..simulation.reader_study import ReaderStudyRequest, make_reader_study

    request = ReaderStudyRequest(
        model=model,
        generator=find_generator(model),
        data=data,
        study=run_study_from(model, config, sets),
        out=out,
        name=name,
        count=count,
        device=device,
    )
    with progress() as report:
        each = len(make_reader_study(request, progress=report).items) // 2
    if each < count:
        status().print(Text(f"There are only {each} held-out images."))
    if as_json:
        print_json({"folder": out, "real": each, "synthetic": each})
        return
    output().print(Text(f"{each} real and {each} synthetic images in {out}. Next: serve it."))


@app.command("serve", epilog=_EPILOG)
def serve(
    study: Annotated[Path, typer.Argument(help="Folder of a reader study.")],
    port: Annotated[int, typer.Option(min=1, max=65535, help="Port on 127.0.0.1.")] = 8766,
) -> None:
    """Show the study's images to readers, in the browser of this machine.

    It needs no internet. Answers are on disk before the next image is shown; a reader goes on
    later under the same name, in the same order, which is another for every reader.
    """
    from ..common.local_page import LOOPBACK
    from ..common.local_page import serve as serve_page
    from ..evaluation.readers.app import readers_app
    from ..evaluation.readers.study import ReaderStudy

    readers = ReaderStudy.open(study)
    status().print(Text(f"http://{LOOPBACK}:{port}/ shows {readers.name}; Ctrl-C ends it."))
    serve_page(readers_app(readers), port)


@app.command("score", epilog=_EPILOG)
def score(
    study: Annotated[Path, typer.Argument(help="Folder of a reader study.")],
    as_json: JsonOption = False,
) -> None:
    """Open the key and score the answers given so far; also writes STUDY/scores.json.

    `fedscan examine --readers STUDY` takes the outcome into an examination and its gate.
    """
    from ..common.files import write_atomically
    from ..evaluation.readers.score import score_study
    from ..evaluation.readers.study import ReaderStudy
    from .examine import section_table

    section = score_study(ReaderStudy.open(study))
    write_atomically(
        study / "scores.json", (json.dumps(section.to_dict(), indent=2) + "\n").encode()
    )
    if as_json:
        print_json(section.to_dict())
        return
    output().print(section_table(section))
    for grid in section.tables:
        output().print(_grid(grid.columns, grid.rows))
    output().print(Text(section.summary))


def _grid(columns: tuple[str, ...], rows: tuple[tuple[object, ...], ...]) -> Table:
    table = Table(*columns)
    for row in rows:
        table.add_row(*(Text("" if cell is None else str(cell)) for cell in row))
    return table
