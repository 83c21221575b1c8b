"""Read and write the TOML form of a configuration."""

from __future__ import annotations

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


def write_toml(settings: Iterable[Setting], value_of: Callable[[Setting], Any]) -> str:
    """Write settings as TOML, each below a comment that explains it.

    A value of ``None`` has no TOML form: the setting is written as a comment.

    Args:
        settings: What to write, in the order of the file.
        value_of: Returns the value of a setting, of JSON types.
    """
    lines: list[str] = []
    section = ""
    for setting in settings:
        if setting.section != section:
            section = setting.section
            lines += ["", f"[{section}]"]
        elif lines:
            lines.append("")
        explanation = f"{setting.description} ({setting.allowed})"
        lines += textwrap.wrap(
            explanation, 98, initial_indent="# ", subsequent_indent="# ", break_on_hyphens=False
        )
        value = value_of(setting)
        lines.append(
            f"# {setting.key} ="
            if value is None
            else tomli_w.dumps({setting.key: value}).rstrip("\n")
        )
    return "\n".join(lines).lstrip("\n") + "\n"
