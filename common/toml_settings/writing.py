"""Writing settings as TOML, each with its explanation."""

from __future__ import annotations

import textwrap
from collections.abc import Callable, Iterable
from typing import Any

import tomli_w

from .schema import Setting


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
