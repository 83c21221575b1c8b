"""``fedscan examine``: does a generator help, invent, remember, and treat groups alike?"""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer
from rich.table import Table
from rich.text import Text

from .console import output, status
from .options import ConfigOption, SetOption, study_from
from .progress import progress

if TYPE_CHECKING:
    from ..examination.section import Measure, Section

_EPILOG = """\
Examples:

- `fedscan examine run --data hospitals`

- `fedscan examine run --data hospitals --against base=base/generator --against
non-private=run/comparisons/non-private --only utility`

- `fedscan examine run --data hospitals --set examination.synthetic_images=1000`
"""


def register(app: typer.Typer) -> None:
    """Add the command to the application."""
    app.command("examine", epilog=_EPILOG)(examine)


def examine(
    model: Annotated[
        Path, typer.Argument(help="Generator folder, or the folder of a run that holds one.")
    ],
    data: Annotated[Path, typer.Option(help="Folder with one sub-folder of DICOM per site.")],
    out: Annotated[
        Path | None,
        typer.Option("--out", "-o", help="Folder for the record, page and figures."),
    ] = None,
    against: Annotated[
        list[str] | None,
        typer.Option(
            help="Generator to compare with, such as `base=FOLDER`. Repeatable.",
            metavar="NAME=GENERATOR",
        ),
    ] = None,
    only: Annotated[
        list[str] | None,
        typer.Option(help="Section to examine; all without it. Repeatable.", metavar="SECTION"),
    ] = None,
    config: ConfigOption = None,
    sets: SetOption = None,
) -> None:
    """Examine a generator against the sites' real images, section by section.

    If MODEL is a run, its study and its split of the patients are used: only then is it certain
    that no held-out patient was trained on. All data must be on this machine. Writes
    examination.json and examination.html to OUT, by default MODEL/examination.
    """
    from .. import __version__
    from ..examination.examiners import examiners
    from ..examination.results import Examination, write_examination
    from ..examination.run import run_examiners
    from ..examination.subject import Subject
    from ..model.storage import generator_digest, load_generator
    from ..report.examination import write_examination_page
    from ..simulation.measure import real_sets
    from ..simulation.sites import find_sites
    from .models import find_generator

    folder = find_generator(model)
    others = {name: find_generator(path) for name, path in map(_named, against or ())}
    own_split = (model / "sites").is_dir()
    study = study_from(config or _present(model / "study.toml"), sets)
    out = out or model / "examination"
    state = model / "sites" if own_split else out / "sites"
    if not own_split:
        status().print(
            Text(f"{model} is no run: patients held out here may be among those it learnt from.")
        )
    sites = find_sites(data.resolve(), state.resolve(), folder.resolve())
    settings = study.evaluation
    name = model.resolve().name
    if name in others:
        raise typer.BadParameter(f"--against {name}=… needs another name than the model's own.")
    out.mkdir(parents=True, exist_ok=True)
    with progress() as report:
        report("reading the sites' scans", 0, 100)
        real = real_sets(sites, study, holdout_images=study.examination.holdout_images)
        sections = run_examiners(
            Subject(
                name=name,
                generator=load_generator(folder),
                others={name: load_generator(path) for name, path in others.items()},
                real=real,
                out=out,
                guidance_scale=settings.guidance_scale,
                steps=settings.steps,
                seed=settings.seed,
            ),
            examiners(study.examination, settings),
            only=only or (),
            on_progress=lambda what, share: report(what, round(100 * share), 100),
        )
    examination = Examination(
        fedscan=__version__,
        name=name,
        generator=generator_digest(folder),
        against={name: generator_digest(path) for name, path in others.items()},
        own_split=own_split,
        train_patients=real.train.patient_count,
        holdout_patients=real.holdout.patient_count,
        sections=sections,
    )
    write_examination(examination, out)
    page = write_examination_page(examination, out)
    for section in sections:
        output().print(_table(section))
    output().print(Text(f"All measures, tables and figures are in {page}"))


def _named(text: str) -> tuple[str, Path]:
    name, equals, path = text.partition("=")
    if not equals or not name or not path:
        raise typer.BadParameter(
            f"{text!r} is not of the form NAME=GENERATOR.", param_hint="--against"
        )
    return name, Path(path)


def _present(path: Path) -> Path | None:
    return path if path.exists() else None


def _table(section: Section) -> Table:
    table = Table(
        "Measure", "Found (95 %)", title=Text(f"{section.title} ({section.key})"), caption=None
    )
    for measure in section.measures:
        table.add_row(Text(measure.title), Text(_found(measure)))
    return table


def _found(measure: Measure) -> str:
    if measure.value is None:
        return "not measured"
    unit = f" {measure.unit}" if measure.unit else ""
    if measure.low is None or measure.high is None:
        return f"{measure.value:.3g}{unit}"
    return f"{measure.value:.3g}{unit} ({measure.low:.3g} to {measure.high:.3g})"
