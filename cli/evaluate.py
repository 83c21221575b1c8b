"""``fedscan evaluate``: what generators' images are worth beside real ones."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer
from rich.table import Table
from rich.text import Text

from .console import output
from .json_output import print_json
from .options import ConfigOption, DeviceOption, JsonOption, SetOption, run_study_from
from .progress import progress

if TYPE_CHECKING:
    from ..evaluation.measures.results import (
        EvaluationResult,
        GeneratorScores,
        RealScores,
        TaskUtility,
    )

_EPILOG = """\
Examples:

- `fedscan evaluate run --data hospitals`

- `fedscan evaluate run other-run base/generator --data hospitals --set evaluation.samples=1000`
"""


def register(app: typer.Typer) -> None:
    """Add the command to the application."""
    app.command("evaluate", epilog=_EPILOG)(evaluate)


def evaluate(
    models: Annotated[list[Path], typer.Argument(help="Generator folders, or runs that hold one.")],
    data: Annotated[Path, typer.Option(help="Folder with one sub-folder of DICOM per site.")],
    out: Annotated[
        Path, typer.Option("--out", "-o", help="Folder for evaluation.json and gallery.")
    ] = Path("evaluation"),
    device: DeviceOption = "auto",
    config: ConfigOption = None,
    sets: SetOption = None,
    as_json: JsonOption = False,
) -> None:
    """Measure generators against the sites' real images: distances, utility, memorisation.

    If the first model is a run, its study and its split of the patients are used: only then is
    it certain that no held-out patient was trained on. All data must be on this machine.
    """
    from ..model.storage import find_generator
    from ..simulation.evaluating import EvaluateRequest
    from ..simulation.evaluating import evaluate as measure

    generators = {_name(path): find_generator(path) for path in models}
    if len(generators) < len(models):
        raise typer.BadParameter("The folders need different names to be told apart.")
    request = EvaluateRequest(
        generators=generators,
        data=data,
        out=out,
        run=models[0],
        study=run_study_from(models[0], config, sets),
        device=device,
    )
    with progress() as report:
        result = measure(request, progress=report)
    if as_json:
        print_json({"folder": out, "evaluation": result.to_dict()})
        return
    console = output()
    console.print(_table(result))
    console.print(Text(f"All measures and the gallery are in {out}"))


def _name(model: Path) -> str:
    """Name a model by its folder, or by the run that it is the generator of."""
    folder = model.resolve()
    return folder.parent.name if folder.name == "generator" else folder.name


def _table(result: EvaluationResult) -> Table:
    table = Table("Images", "Fréchet distance", "Kernel distance")
    for task in result.tasks:
        table.add_column(f"{task.title}: AUC (95 %)")
    rows: dict[str, RealScores | GeneratorScores] = {"real": result.real}
    rows |= {generator.name: generator for generator in result.generators}
    for name, scores in rows.items():
        utility = {entry.task: entry for entry in scores.utility}
        table.add_row(
            Text(name),
            f"{scores.distances.frechet:.2f}",
            f"{scores.distances.kernel:.4f}",
            *(_auc(utility.get(task.key)) for task in result.tasks),
        )
    return table


def _auc(utility: TaskUtility | None) -> str:
    if utility is None:
        return ""
    auc = utility.auc
    return f"{auc.value:.2f} ({auc.low:.2f} to {auc.high:.2f})"
