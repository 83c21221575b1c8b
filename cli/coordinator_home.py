"""What all commands of a coordinator share: its folder, and how they print facts."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Annotated

import typer

from .console import say
from .json_output import print_json

HomeOption = Annotated[
    Path,
    typer.Option("--home", help="The coordinator's folder.", envvar="FEDSCAN_COORDINATOR_HOME"),
]
HOME = Path("coordinator")


def open_home(home: Path):  # type: ignore[no-untyped-def]
    """Return the folder, or end with an error if it is not a coordinator's."""
    from ..server.coordinator.home import Home

    coordinator = Home(home.resolve())
    _ = coordinator.addresses
    return coordinator


def tell(as_json: bool, facts: Mapping[str, object]) -> None:
    """Print facts as one JSON document, or each that says something on a line."""
    if as_json:
        print_json(facts)
        return
    for key, value in facts.items():
        if value != "":
            say(key.replace("_", " ").capitalize(), value)
