"""``fedscan coordinator checkpoint`` and ``scores``: whether the model becomes better."""

from __future__ import annotations

from dataclasses import asdict
from pathlib import Path
from typing import Annotated

import typer
from rich.table import Table
from rich.text import Text

from .console import output
from .coordinator_home import HOME, HomeOption, open_home, tell
from .json_output import print_json
from .options import JsonOption
from .site_evaluate import share_text

_Study = Annotated[str, typer.Argument(help="Name of the study.", metavar="STUDY")]


def register(group: typer.Typer) -> None:
    """Add the commands to those of a coordinator."""
    group.command()(checkpoint)
    group.command()(scores)


def checkpoint(
    study: _Study,
    out: Annotated[Path, typer.Option("--out", "-o", help="A new folder for the generator.")],
    number: Annotated[
        int, typer.Option("--round", min=0, help="The round. [default: the last finished one]")
    ] = 0,
    home: HomeOption = HOME,
    as_json: JsonOption = False,
) -> None:
    """Write the generator of a round, for sites to score with `fedscan site evaluate`.

    The latest rounds are kept, as many as `federation.checkpoints_kept` says.
    """
    from ..server.coordinator.scoring import export_round

    last_round = export_round(open_home(home), study, out, number)
    tell(as_json, {"generator": out, "round": last_round})


def scores(
    study: _Study,
    files: Annotated[
        list[Path] | None, typer.Argument(help="Files that sites released.", metavar="FILE")
    ] = None,
    home: HomeOption = HOME,
    as_json: JsonOption = False,
) -> None:
    """Take in what sites released of their held-out patients, and show it summed, by round.

    Each file must be signed by its site. The shares have 95 % intervals, which count the patients'
    spread and the noise; what is in them cannot be told apart.
    """
    from ..server.coordinator.scores import scored_rounds
    from ..server.coordinator.scoring import take_scores
    from ..server.coordinator.studies import find_study

    coordinator = open_home(home)
    for file in files or ():
        take_scores(coordinator, study, file.read_bytes())
    rounds = scored_rounds(find_study(coordinator, study).job.run)
    if as_json:
        print_json({"rounds": [asdict(one) for one in rounds]})
        return
    table = Table("Round", "Sites", "Fits better than the base", "Tells the finding", "")
    for one in rounds:
        marks = [
            *(["best"] if one.is_best else []),
            *(["last"] if one.is_last else []),
            *(["apart from the last"] if one.apart else []),
        ]
        answer = f"{one.finding}: {share_text(one.right)}"
        table.add_row(
            str(one.round),
            Text(", ".join(one.sites)),
            share_text(one.better),
            answer,
            ", ".join(marks),
        )
    output().print(table)
