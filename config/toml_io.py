"""Read and write the TOML form of a configuration."""

from __future__ import annotations

import json
import textwrap
import tomllib
from collections.abc import Callable, Iterable
from pathlib import Path
from typing import Any

import tomli_w

from ..errors import ConfigurationError
from .schema import Setting


def read_toml(path: Path) -> dict[str, Any]:
    """Read a TOML file.

    Raises:
        ConfigurationError: If the file cannot be read, or is not TOML; names the line.
    """
    try:
        with path.open("rb") as file:
            return tomllib.load(file)
    except tomllib.TOMLDecodeError as error:
        raise ConfigurationError(
            f"{path} is not valid TOML: {error}.",
            hint='Values look like: epsilon = 8.0, name = "study", enabled = true.',
        ) from error
    except UnicodeDecodeError as error:
        raise ConfigurationError(
            f"{path} is not UTF-8 text (byte {error.start}).", hint="Save it as UTF-8."
        ) from error
    except OSError as error:
        raise ConfigurationError(
            f"The configuration {path} cannot be read: {error.strerror or error}.",
            hint="`fedscan config > study.toml` writes one with all defaults.",
        ) from error


def write_toml(
    settings: Iterable[Setting],
    value_of: Callable[[Setting], Any],
    is_comment: Callable[[Setting], bool] = lambda _: False,
) -> str:
    """Write settings as TOML, each below a comment that explains it.

    A value of ``None`` has no TOML form: the setting is written as a comment.

    Args:
        settings: What to write, in the order of the file.
        value_of: Returns the value of a setting, of JSON types.
        is_comment: Whether a setting is only shown, in a comment.
    """
    lines: list[str] = []
    section = ""
    for setting in settings:
        hidden = "# " if is_comment(setting) else ""
        if setting.section != section:
            section = setting.section
            lines += ["", f"{hidden}[{section}]"]
        elif lines:
            lines.append("")
        explanation = f"{setting.description} ({setting.allowed})"
        lines += textwrap.wrap(
            explanation, 98, initial_indent="# ", subsequent_indent="# ", break_on_hyphens=False
        )
        value = value_of(setting)
        text = f"# {setting.key} =" if value is None else _assignment(setting.key, value)
        lines += [hidden + line for line in text.splitlines()]
    return "\n".join(lines).lstrip("\n") + "\n"


def _assignment(key: str, value: Any) -> str:
    """Write one setting; a list of tables stays in its place, with a table a line."""
    if not (isinstance(value, list) and value and isinstance(value[0], dict)):
        return tomli_w.dumps({key: value}).rstrip("\n")
    rows = [
        "{ "
        + ", ".join(f"{name} = {json.dumps(item)}" for name, item in row.items() if item)
        + " }"
        for row in value
    ]
    return "\n".join([f"{key} = [", *(f"    {row}," for row in rows), "]"])
