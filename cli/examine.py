"""``fedscan examine``: does a generator help, invent, remember, and treat groups alike?"""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer
from rich.table import Table
from rich.text import Text

from .console import output, show_error, status
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

if TYPE_CHECKING:
    from ..evaluation.gate import GateOutcome
    from ..evaluation.section import Section

_EPILOG = """\
Examples:

- `fedscan examine run --data hospitals`

- `fedscan examine run --data hospitals --against other=another-run --only utility`

- `fedscan examine run --data hospitals --no-comparisons --only memory --only canaries`

- `fedscan examine run --data hospitals --set examination.synthetic_images=1000`

- `fedscan examine run --data hospitals --gate default`
"""


def register(app: typer.Typer) -> None:
    """Add the command to the application."""
    app.command("examine", epilog=_EPILOG)(examine)


def examine(
    model: GeneratorArgument,
    data: Annotated[Path, typer.Option(help="Folder with one sub-folder of DICOM per site.")],
    out: Annotated[
        Path | None,
        typer.Option("--out", "-o", help="Folder for the record, page and figures."),
    ] = None,
    against: Annotated[
        list[str] | None,
        typer.Option(
            help="Another generator to compare with, or another of this name. Repeatable.",
            metavar="NAME=GENERATOR",
        ),
    ] = None,
    comparisons: Annotated[
        bool,
        typer.Option(
            "--comparisons/--no-comparisons",
            help="Compare also with the study's base and with what the run trained to compare "
            "with. The base calibrates attacks, so without it these are weaker.",
        ),
    ] = True,
    only: Annotated[
        list[str] | None,
        typer.Option(help="Section to examine; all without it. Repeatable.", metavar="SECTION"),
    ] = None,
    gate: Annotated[
        Path | None,
        typer.Option(
            help="TOML file of thresholds; `default` is the one that ships with fedscan. Ends "
            "with status 11 if one does not hold.",
            metavar="FILE",
        ),
    ] = None,
    readers: Annotated[
        Path | None,
        typer.Option(help="Folder of a reader study of this generator, to score and show too."),
    ] = None,
    device: DeviceOption = "auto",
    config: ConfigOption = None,
    sets: SetOption = None,
    as_json: JsonOption = False,
) -> None:
    """Examine a generator against the sites' real images, section by section.

    If MODEL is a run, its study and its split of the patients are used: only then is it certain
    that no held-out patient was trained on. It is compared with the study's base and with the
    generators in MODEL/comparisons (trained without privacy, at a single site, on pooled data:
    what the study asked for). All data must be on this machine. Writes
    examination.json, examination.html and model-card.md to OUT, by default MODEL/examination; a
    run's own report.html then shows the examination too. Each finished section is kept in
    OUT/sections: after an interruption, or with another gate, the same command measures only
    what is not there yet.

    Real images are compared with and learnt from without noise: what is written stays where
    those may be seen.
    """
    from ..errors import GateError
    from ..evaluation.gate import default_gate
    from ..model.storage import find_generator
    from ..simulation.examining import ExamineRequest, examine_run

    request = ExamineRequest(
        model=model,
        generator=find_generator(model),
        data=data,
        study=run_study_from(model, config, sets),
        out=out or model / "examination",
        against={name: find_generator(path) for name, path in map(_named, against or ())},
        comparisons=comparisons,
        only=tuple(only or ()),
        gate=default_gate() if gate == Path("default") else gate,
        readers=readers,
        device=device,
    )
    with progress() as report:
        result = examine_run(
            request, progress=report, say=lambda sentence: status().print(Text(sentence))
        )
    examination, verdict = result.examination, result.examination.gate
    if as_json:
        print_json({"page": result.page, "examination": examination.to_dict()})
    else:
        for section in examination.sections:
            output().print(section_table(section))
        output().print(Text(f"All measures, tables and figures are in {result.page}"))
        if verdict is not None:
            output().print(_gate_table(verdict))
    if verdict is None or verdict.passed:
        return
    failures = ", ".join(line.measure for line in verdict.failures)
    error = GateError(
        f"The generator does not pass {verdict.name}: {failures}.",
        hint=f"{result.page} says what was found and what each line stands for.",
    )
    if not as_json:
        raise error
    # The document has been printed, with the gate's outcome in it: a second one must not follow.
    show_error(error)
    raise typer.Exit(error.exit_status)


def _named(text: str) -> tuple[str, Path]:
    name, equals, path = text.partition("=")
    if not equals or not name or not path:
        raise typer.BadParameter(
            f"{text!r} is not of the form NAME=GENERATOR.", param_hint="--against"
        )
    return name, Path(path)


def section_table(section: Section) -> Table:
    """A section's measures for the console."""
    from ..evaluation.card import in_words

    table = Table("Measure", "Found (95 %)", title=Text(f"{section.title} ({section.key})"))
    for measure in section.measures:
        table.add_row(Text(measure.title), Text(in_words(measure)))
    return table


def _gate_table(gate: GateOutcome) -> Table:
    table = Table("Measure", "Must be", "Found", "Outcome", title=Text(gate.name))
    for line in gate.lines:
        outcome = Text("passed", "green") if line.passed else Text("failed", "bold red")
        table.add_row(Text(line.measure), Text(line.bound), Text(line.found), outcome)
    return table
