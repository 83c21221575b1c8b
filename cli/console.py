"""The two consoles: results on standard output, progress and errors on standard error."""

from __future__ import annotations

from rich.console import Console
from rich.text import Text

from ..errors import FedscanError

#: Columns of tables in files and pipes, where there is no terminal to fit.
_WIDTH = 120


def output() -> Console:
    """Return the console for results."""
    return _console(stderr=False)


def status() -> Console:
    """Return the console for progress and errors."""
    return _console(stderr=True)


def say(what: str, value: object) -> None:
    """Print one fact on a line: what it is about, and what is so."""
    output().print(Text(f"{what:<12} {value}"))


def _console(*, stderr: bool) -> Console:
    console = Console(stderr=stderr, soft_wrap=True, highlight=False)
    if not console.is_terminal:
        console.width = max(console.width, _WIDTH)
    return console


def show_error(error: FedscanError) -> None:
    """Print what was wrong and what to do about it."""
    console = status()
    console.print(Text.assemble(("Error: ", "bold red"), error.message))
    if error.hint:
        console.print(Text.assemble(("Hint: ", "bold cyan"), error.hint))
