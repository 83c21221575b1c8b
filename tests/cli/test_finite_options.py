"""No option of any command takes ``nan`` or ``inf``."""

from __future__ import annotations

from collections.abc import Iterator

import click
import pytest
import typer.main
from click.types import FloatParamType
from fedscan.cli.main import app
from typer.testing import CliRunner


def options(command: click.Command, words: tuple[str, ...] = ()) -> Iterator[tuple[str, ...]]:
    for parameter in command.params:
        if isinstance(parameter.type, FloatParamType):
            yield (*words, parameter.opts[0])
    for name, below in getattr(command, "commands", {}).items():
        yield from options(below, (*words, name))


FOUND = list(options(typer.main.get_command(app)))


def test_there_are_such_options() -> None:
    assert ("generate", "--guidance") in FOUND
    assert ("site", "charge", "--noise") in FOUND


@pytest.mark.parametrize("words", FOUND, ids=" ".join)
@pytest.mark.parametrize("value", ["nan", "inf", "-inf"])
def test_an_option_takes_finite_numbers_only(words: tuple[str, ...], value: str) -> None:
    *command, option = words
    result = CliRunner().invoke(app, [*command, f"{option}={value}"])
    assert result.exit_code == 2
    lines = " ".join(result.output.replace("│", " ").split())
    assert "not a finite number" in lines or "not in the range" in lines
