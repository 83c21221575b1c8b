"""How the command line ends: every deliberate error becomes a message and an exit status."""

from __future__ import annotations

import click
import typer
from rich.text import Text
from typer.core import TyperGroup

from ..errors import FedscanError
from .console import show_error, status

#: Exit status after Ctrl-C, as shells count it: 128 + SIGINT.
INTERRUPTED = 130


class FedscanGroup(TyperGroup):
    """Command group that prints errors as what and hint; ``--debug`` shows the traceback."""

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
            show_error(error)
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
            show_error(FedscanError(f"{where}{error.strerror or error}."))
            raise typer.Exit(FedscanError.exit_status) from None
