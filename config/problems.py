"""Turn failed validation into one error that names every setting and what it allows."""

from __future__ import annotations

import difflib
from collections.abc import Iterable, Mapping
from typing import Any

from pydantic import ValidationError

from ..errors import ConfigurationError
from .schema import Setting


def configuration_error(
    failure: ValidationError, settings: Iterable[Setting], source: str
) -> ConfigurationError:
    """Describe all problems of a configuration at once.

    Args:
        failure: What pydantic found.
        settings: Every setting that exists.
        source: Where the values come from, for the message.

    Returns:
        An error with one line per problem.
    """
    by_path = {setting.path: setting for setting in settings}
    lines = []
    # One line per setting: a union reports the same value once per option.
    for problem in {_path(problem): problem for problem in failure.errors()}.items():
        lines.append(_line(*problem, by_path))
    count = "1 problem" if len(lines) == 1 else f"{len(lines)} problems"
    return ConfigurationError(
        f"{source} has {count}:\n" + "\n".join(f"  {line}" for line in lines),
        hint="`fedscan config --markdown` explains every setting.",
    )


def _path(problem: Mapping[str, Any]) -> str:
    return ".".join(part for part in problem["loc"][:2] if isinstance(part, str))


def _line(path: str, problem: Mapping[str, Any], by_path: Mapping[str, Setting]) -> str:
    if problem["type"] == "unexpected_keyword_argument":
        return f"{path}: there is no such setting. {_suggestion(path, by_path)}"
    setting = by_path.get(path)
    if setting is not None:
        return f"{path} = {_shown(problem['input'])}: allowed is {setting.allowed}."
    if problem["type"] == "dataclass_type":
        return f"{path} = {_shown(problem['input'])}: this is a section; write [{path}]."
    # A rule over several settings of one section, in the words of its own check.
    message = problem["msg"].removeprefix("Value error, ")
    return f"[{path}]: {message}" if path else message


def _shown(value: Any) -> str:
    text = repr(value) if not isinstance(value, bool) else str(value).lower()
    return text if len(text) <= 60 else text[:57] + "..."


def _suggestion(path: str, by_path: Mapping[str, Setting]) -> str:
    """Say what may have been meant: a near name, the right section, or the whole choice."""
    section, dot, key = path.rpartition(".")
    elsewhere = [setting.path for setting in by_path.values() if setting.key == key]
    if elsewhere:
        return f"Did you mean {' or '.join(elsewhere)}?"
    near = difflib.get_close_matches(path, by_path, n=1, cutoff=0.75)
    sections = list(
        dict.fromkeys(setting.section for setting in by_path.values() if setting.section)
    )
    if not near and not dot:
        near = [f"[{name}]" for name in difflib.get_close_matches(path, sections, n=1)]
    if near:
        return f"Did you mean {near[0]}?"
    inside = [setting.key for setting in by_path.values() if setting.section == section]
    if dot and not inside:
        return f"The sections are {', '.join(sections)}."
    where = f"[{section}] has" if dot else f"The sections are {', '.join(sections)}; the top has"
    return f"{where} {', '.join(inside)}."
