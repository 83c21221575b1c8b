"""How the command line ends: every deliberate error becomes a message and an exit status."""

from __future__ import annotations

import math
from typing import Any

import click
import typer
from rich.text import Text
from typer.core import TyperGroup

from ..errors import FedscanError
from .console import show_error, status
from .json_output import print_json

#: Exit status after Ctrl-C, as shells count it: 128 + SIGINT.
INTERRUPTED = 130
#: Where a command line notes that it was called with ``--json``.
_JSON = "fedscan.json"


class FedscanGroup(TyperGroup):
    """Command group that prints errors as what and hint; ``--debug`` shows the traceback."""

    def __init__(self, *args: Any, **options: Any) -> None:
        super().__init__(*args, **options)
        for command in self.commands.values():
            _require_finite_numbers(command)

    def parse_args(self, ctx: click.Context, args: list[str]) -> list[str]:
        """Read the options, and note first whether the answer is to be JSON."""
        ctx.meta.setdefault(_JSON, "--json" in args)
        return super().parse_args(ctx, args)

    def invoke(self, ctx: click.Context) -> object:
        """Run the command.

        Raises:
            typer.Exit: With the error's own exit status; 1 if the operating system refused
                something, 130 after Ctrl-C.
        """
        try:
            return super().invoke(ctx)
        except FedscanError as error:
            if ctx.params.get("debug"):
                raise
            _end_with(ctx, error)
            raise typer.Exit(error.exit_status) from None
        except KeyboardInterrupt:
            status().print(Text("Interrupted."))
            raise typer.Exit(INTERRUPTED) from None
        except BrokenPipeError:
            raise  # click ends quietly when the reader of a pipe has gone
        except OSError as error:
            if ctx.params.get("debug"):
                raise
            where = f"{error.filename}: " if error.filename else ""
            _end_with(ctx, FedscanError(f"{where}{error.strerror or error}."))
            raise typer.Exit(FedscanError.exit_status) from None


def _require_finite_numbers(command: click.Command) -> None:
    """Let no option of a command or of its subcommands take ``nan`` or ``inf``.

    A range refuses neither: no number is beyond what cannot be compared.
    """
    for parameter in command.params:
        if isinstance(parameter.type, click.types.FloatParamType) and parameter.callback is None:
            parameter.callback = _finite
    for below in getattr(command, "commands", {}).values():
        _require_finite_numbers(below)


def _finite(context: click.Context, parameter: click.Parameter, value: Any) -> Any:
    for number in value if isinstance(value, (list, tuple)) else (value,):
        if isinstance(number, float) and not math.isfinite(number):
            raise click.BadParameter(f"{number} is not a finite number.", context, parameter)
    return value


def _end_with(ctx: click.Context, error: FedscanError) -> None:
    """Tell people of an error, and with ``--json`` programs, too: a script reads one document."""
    show_error(error)
    if ctx.meta.get(_JSON):
        facts = {"message": error.message, "hint": error.hint}
        print_json({"error": {**facts, "code": error.code, "status": error.exit_status}})
