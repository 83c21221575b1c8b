"""``fedscan plan``: what a study would learn for its budget, before anything is spent."""

from __future__ import annotations

from dataclasses import asdict
from typing import TYPE_CHECKING, Annotated, Any

import typer
from rich.table import Table
from rich.text import Text

from .console import output
from .json_output import print_json
from .options import ConfigOption, JsonOption, SetOption, study_from

if TYPE_CHECKING:
    from ..simulation.study_plan import Choice

_EPILOG = """\
Examples:

- `fedscan plan --config study.toml -p 120 -p 85 -p 60` for three sites.

- `fedscan plan -p 400 -p 400 -p 400 --set privacy.epsilon=4` asks about other settings.
"""


def register(app: typer.Typer) -> None:
    """Add the command to the application."""
    app.command("plan", epilog=_EPILOG)(plan)


def plan(
    patients: Annotated[
        list[int],
        typer.Option("--patients", "-p", min=1, help="Training patients of a site; once for each."),
    ],
    config: ConfigOption = None,
    sets: SetOption = None,
    measure: Annotated[
        bool,
        typer.Option(
            "--measure/--typical",
            help="Measure on made-up patients how well gradients agree, or take a typical value.",
        ),
    ] = True,
    as_json: JsonOption = False,
) -> None:
    """Tell whether a study's budget buys anything: the expected signal against the noise.

    Nothing private is read and nothing is spent. Sizes are what the sites declare. What else could
    train, and whether joint noise helps, stands below, the strongest signal first.
    """
    from ..simulation.study_plan import plan_study

    study_plan = plan_study(study_from(config, sets), patients, measure=measure)
    advice = study_plan.recommendation
    if as_json:
        document: dict[str, Any] = asdict(study_plan)
        print_json(
            {
                **document,
                "verdict": study_plan.verdict,
                "learnable": study_plan.as_it_is.signal.learnable,
                "recommended": advice.settings if advice else (),
            }
        )
        return
    console = output()
    console.print(Text(f"Trains {study_plan.reason or study_plan.trains + '.'}"))
    console.print(Text(study_plan.verdict))
    how = "measured on made-up patients" if study_plan.is_measured else "typical, not measured"
    agreement = study_plan.as_it_is.signal.agreement
    console.print(Text(f"Agreement of the patients' gradients: {agreement:.2f} ({how})."))
    table = Table("Settings")
    for heading in ("Effective patients", "Trained numbers", "Signal / noise"):
        table.add_column(heading, justify="right")
    for choice in (study_plan.as_it_is, *study_plan.choices):
        table.add_row(*_row(choice))
    console.print(table)
    if advice:
        console.print(Text("Recommended: " + " ".join(f"--set {one}" for one in advice.settings)))


def _row(choice: Choice) -> tuple[Text, ...]:
    signal = choice.signal
    return (
        Text("\n".join(choice.settings) or "as it is"),
        Text(f"{signal.patients:,.0f}"),
        Text(f"{signal.numbers:,}"),
        Text(f"{signal.ratio:.2g}"),
    )
