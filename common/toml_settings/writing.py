"""Writing settings as TOML, each with its explanation."""

from __future__ import annotations

import json
import textwrap
from collections.abc import Callable, Iterable
from typing import Any

import tomli_w

from .schema import Setting


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
        comment_mark = "# " if is_comment(setting) else ""
        if setting.section != section:
            section = setting.section
            lines += ["", f"{comment_mark}[{section}]"]
        elif lines:
            lines.append("")
        explanation = f"{setting.description} ({setting.allowed_values})"
        lines += textwrap.wrap(
            explanation, 98, initial_indent="# ", subsequent_indent="# ", break_on_hyphens=False
        )
        value = value_of(setting)
        text = f"# {setting.key} =" if value is None else _assignment(setting.key, value)
        lines += [comment_mark + line for line in text.split("\n")]
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
