"""What fedscan advises exists: every command, option and setting that its texts name."""

from __future__ import annotations

import re
import shlex
from collections.abc import Iterator

import click
import pytest
from fedscan.config.study import study_settings
from hints import TREE, VALUE, hints, texts

_COMMAND = re.compile(r"`(fedscan\s[^`]+)`")
_OPTION = re.compile(r"(?<![\w-])--[a-z][a-z-]+")
_SETTING = re.compile(r"\b([a-z_]+)\.([a-z][a-z_0-9]+)\b")
#: Ends of names of files.
_ENDINGS = ("toml", "json", "md")
#: Options of other programs that texts name.
_FOREIGN = {"--head", "--local-dir", "--node-config", "--nproc-per-node", "--query"}


COMMANDS = sorted(
    {(file, " ".join(found.split())) for file, text in texts() for found in _COMMAND.findall(text)}
)


def options(command: click.Command) -> set[str]:
    own = {name for one in command.params for name in (*one.opts, *one.secondary_opts)}
    return own | {"--help"}


def every_command(command: click.Command = TREE) -> Iterator[click.Command]:
    yield command
    for below in getattr(command, "commands", {}).values():
        yield from every_command(below)


def test_there_is_something_to_look_at() -> None:
    assert len(COMMANDS) > 80
    assert len(list(hints())) > 150


@pytest.mark.parametrize(("file", "line"), COMMANDS)
def test_a_command_that_is_named_exists_with_its_options(file: str, line: str) -> None:
    words = [word for word in shlex.split(line.replace("…", VALUE))[1:]]
    command: click.Command = TREE
    while isinstance(command, click.Group) and words:
        if words[0].startswith("-") or words[0].isupper():
            break  # as in `fedscan COMMAND --help`, and options of all commands
        assert words[0] in command.commands, f"{file}: no command {words[0]!r} in {line!r}"
        command = command.commands[words.pop(0)]
    named = {word.partition("=")[0] for word in words if word.startswith("-")}
    known = {name for one in every_command(command) for name in options(one)}
    assert named <= known, f"{file}: {line!r}"


def test_options_that_hints_name_exist() -> None:
    known = {name for one in every_command() for name in options(one)} | _FOREIGN
    unknown = {
        (file, name)
        for file, text in hints()
        for name in _OPTION.findall(text)
        if name not in known
    }
    assert unknown == set()


def test_settings_that_hints_name_exist() -> None:
    paths = {setting.path for setting in study_settings()}
    sections = {setting.section for setting in study_settings() if setting.section}
    unknown = {
        (file, f"{section}.{key}")
        for file, text in hints()
        for section, key in _SETTING.findall(text)
        if section in sections and key not in _ENDINGS and f"{section}.{key}" not in paths
    }
    assert unknown == set()
