"""``fedscan simulate``: the whole federation on this machine, from DICOM to report."""

from __future__ import annotations

from enum import StrEnum
from pathlib import Path
from typing import Annotated

import typer
from rich.text import Text

from .console import output
from .json_output import print_json
from .options import (
    ConfigOption,
    DeviceOption,
    JsonOption,
    LabelsByOption,
    LabelsOption,
    SetOption,
    study_from,
)

_EPILOG = """\
Examples:

- `fedscan simulate` trains across three phantom hospitals that it writes first.

- `fedscan simulate --data hospitals --epsilon 4 --rounds 10 --out run`

- `fedscan simulate --data hospitals --config study.toml --set local.learning_rate=0.002`

- `fedscan simulate --data films --labels labels.csv` takes findings from a table.

- `fedscan simulate --data hospitals --out run --resume` continues a run that was stopped.
"""


class Engine(StrEnum):
    """What carries the messages between coordinator and sites."""

    IN_PROCESS = "in-process"
    RAY = "ray"


def register(app: typer.Typer) -> None:
    """Add the command to the application."""
    app.command("simulate", epilog=_EPILOG)(simulate)


def simulate(
    data: Annotated[
        Path | None,
        typer.Option(help="Folder with one sub-folder of DICOM per site. [default: phantoms]"),
    ] = None,
    out: Annotated[Path, typer.Option("--out", "-o", help="Folder for everything.")] = Path("out"),
    labels: LabelsOption = None,
    labels_by: LabelsByOption = None,
    config: ConfigOption = None,
    sets: SetOption = None,
    epsilon: Annotated[
        float | None, typer.Option(help="Privacy each site may spend (privacy.epsilon).")
    ] = None,
    rounds: Annotated[
        int | None, typer.Option(help="Federated rounds (federation.rounds).")
    ] = None,
    seed: Annotated[int | None, typer.Option(help="Seed of all that is not private.")] = None,
    engine: Annotated[
        Engine, typer.Option(help="Flower's Ray engine needs the extra `ray`.")
    ] = Engine.IN_PROCESS,
    workers: Annotated[
        int,
        typer.Option(
            min=0, help="Sites that compute at once, 0 for what fits; it changes no result."
        ),
    ] = 0,
    device: DeviceOption = "auto",
    ray_address: Annotated[
        str,
        typer.Option(
            help="Ray cluster that is there already, host:port or auto; for --engine ray. All its "
            "machines must see DATA and OUT."
        ),
    ] = "",
    resume: Annotated[
        bool, typer.Option("--resume", help="Continue the run in OUT from its last round.")
    ] = False,
    evaluate: Annotated[
        bool, typer.Option("--evaluate/--no-evaluate", help="Measure the generator at the end.")
    ] = True,
    as_json: JsonOption = False,
) -> None:
    """Train across sites with differential privacy, then evaluate and write report.html.

    Coordinator and sites run unmodified, each site with its own cache, policy and ledger in
    OUT/sites. A run that was stopped and resumed ends with the same bytes as one that was not.
    """
    from ..simulation.run import simulate as run_simulation
    from .live import watch

    flags = {"privacy.epsilon": epsilon, "federation.rounds": rounds, "seed": seed}
    study = study_from(config, sets, flags)
    with watch(out / "sites", study.privacy.epsilon) as observer:
        result = run_simulation(
            study,
            data,
            out,
            resume=resume,
            engine=engine.value,
            workers=workers,
            evaluate=evaluate,
            labels=labels,
            labels_by=labels_by or "",
            device=device,
            ray_address=ray_address,
            progress=observer,
        )
    if as_json:
        print_json(
            {
                "generator": result.generator,
                "report": result.report,
                "results": result.results.to_dict(),
            }
        )
        return
    for what, path in (("Generator", result.generator), ("Report", result.report)):
        output().print(Text(f"{what:<10} {path}"))
