"""The command reference, made from the commands themselves.

``python -m fedscan.cli.reference > docs/commands.md`` renews the page.
"""

from __future__ import annotations

import inspect
from collections.abc import Iterator

import click
import typer
from typer.models import CommandInfo
from typer.utils import get_params_from_function

from .main import app

_INTRODUCTION = """\
# Commands

Every command explains itself with `--help`. `fedscan --debug COMMAND …` shows the traceback of
an error. Results go to standard output; progress and errors go to standard error.

*This page is generated: `python -m fedscan.cli.reference > docs/commands.md`.*

## Exit status

| Status | Meaning |
|---|---|
| 0 | Done. |
| 1 | Unexpected: a bug, or something that the operating system refused. |
| 2 | The command was used wrongly, or a setting is unknown, of the wrong type or out of range. |
| 3 | Scans, masks or cached data cannot be used. |
| 4 | A step would spend more privacy than a data set's ceiling allows. |
| 5 | A privacy ledger is damaged, locked or of another data set; or a promise cannot be kept. |
| 6 | A generator cannot be built, loaded or used as asked. |
| 7 | A message is malformed or of another version, or a site's update was refused. |
| 8 | A federated round ended with fewer usable results than it needs. |
| 9 | A checkpoint is missing, damaged or of another run. |
| 10 | The other side is out of reach, or a key, certificate or process is not as it must be. |
| 11 | A generator was examined and does not meet the release gate. |
| 130 | Interrupted with Ctrl-C. |
"""


def reference() -> str:
    """Return the reference of all commands as Markdown."""
    group = typer.main.get_command(app)
    assert isinstance(group, click.Group)
    parts = [_INTRODUCTION]
    for title, command, info in _commands(app, group, "fedscan"):
        parts.append("\n".join(_command(title, command, info)))
    return "\n".join(parts)


def _commands(
    application: typer.Typer, group: click.Group, title: str
) -> Iterator[tuple[str, click.Command, CommandInfo]]:
    """Yield what is called by name, with its full name; those of groups after the others."""
    # Typer makes the commands in the order in which they were registered.
    commands = list(group.commands.items())
    for info in application.registered_commands:
        name, command = commands.pop(0)
        yield f"{title} {name}", command, info
    for below, (name, command) in zip(application.registered_groups, commands, strict=True):
        assert below.typer_instance is not None
        assert isinstance(command, click.Group)
        yield from _commands(below.typer_instance, command, f"{title} {name}")


def _command(title: str, command: click.Command, info: CommandInfo) -> Iterator[str]:
    usage = " ".join(command.collect_usage_pieces(click.Context(command)))
    yield f"## {title}\n"
    yield f"```\n{title} {usage}\n```\n"
    yield inspect.cleandoc(command.help or "") + "\n"
    yield "| | Default | Meaning |\n|---|---|---|"
    for parameter in command.params:
        if parameter.name != "help":
            yield "| " + " | ".join(_cells(parameter, info)) + " |"
    yield "\n" + (command.epilog or "")


def _cells(parameter: click.Parameter, info: CommandInfo) -> Iterator[str]:
    assert info.callback is not None
    option = get_params_from_function(info.callback)[str(parameter.name)].default
    if isinstance(parameter, click.Option):
        yield ", ".join(f"`{name}`" for name in [*parameter.opts, *parameter.secondary_opts])
    else:
        yield f"`{str(parameter.name).upper()}`"
    if parameter.required:
        yield "required"
    elif parameter.default is None or parameter.default is False:
        yield ""
    else:
        yield f"`{parameter.default}`"
    yield str(option.help).replace("|", "\\|")


if __name__ == "__main__":
    print(reference(), end="")
