"""The two consoles: results on standard output, progress and errors on standard error."""

from __future__ import annotations

from rich.console import Console
from rich.text import Text

from ..errors import FedscanError


def output() -> Console:
    """Return the console for results; long lines are never wrapped in a pipe."""
    return Console(soft_wrap=True)


def status() -> Console:
    """Return the console for progress and errors."""
    return Console(stderr=True, soft_wrap=True)


def show_error(error: FedscanError) -> None:
    """Print what was wrong and what to do about it."""
    console = status()
    console.print(Text.assemble(("Error: ", "bold red"), error.message))
    if error.hint:
        console.print(Text.assemble(("Hint: ", "bold cyan"), error.hint))
