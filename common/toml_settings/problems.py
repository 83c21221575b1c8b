"""Turn failed validation into one error that names every setting and what it allows."""

from __future__ import annotations

import difflib
from collections.abc import Mapping
from typing import Any

from pydantic import ValidationError

from ...errors import ConfigurationError
from .places import Node, Place, Schema, path_of, shown
from .schema import allowed_values


def configuration_error(
    failure: ValidationError, schema: Schema, source: str, hint: str
) -> ConfigurationError:
    """Describe all problems of a configuration at once.

    Args:
        failure: What pydantic found.
        schema: What is allowed.
        source: Where the values come from, for the message.
        hint: What the reader can do about it.

    Returns:
        An error with one line per problem.
    """
    # One line per setting: a union reports the same value once per option.
    line_by_place = dict(_told(problem, schema) for problem in failure.errors(include_url=False))
    # Not that a list is too short, where it is only short of the tables that are wrong.
    lines = [
        line
        for place, line in line_by_place.items()
        if not any(
            len(other) > len(place) and other[: len(place)] == place for other in line_by_place
        )
    ]
    count = "1 problem" if len(lines) == 1 else f"{len(lines)} problems"
    text = "\n".join(f"  {line}" for line in lines)
    return ConfigurationError(f"{source} has {count}:\n{text}", hint=hint)


def _told(problem: Mapping[str, Any], schema: Schema) -> tuple[Place, str]:
    """Return the place of what is wrong, and the line about it."""
    if problem["type"] == "unexpected_keyword_argument":
        place = problem["loc"]
        line = f"{path_of(place)}: there is no such setting. {_suggestion(place, schema)}"
        return place, line
    place, node = schema.find(problem["loc"])
    return place, _line(problem, place, node, allowed_values(node, schema.definitions))


def _line(problem: Mapping[str, Any], place: Place, node: Node, values: str) -> str:
    path = path_of(place)
    # The words of a check of our own say more than what is allowed in general.
    message = problem["msg"].removeprefix("Value error, ").rstrip(".")
    if problem["type"].startswith("missing"):
        return f"{path} is missing: it must be {values}."
    if "properties" not in node:
        is_own = problem["type"] == "value_error"
        end = message if is_own else f"allowed is {values}"
        return f"{path} = {shown(problem['input'])}: {end}."
    if problem["type"] == "dataclass_type":
        heading = f"[{path}]" if isinstance(place[-1], str) else f"[[{path_of(place[:-1])}]]"
        return f"{path} = {shown(problem['input'])}: this is a section; write {heading}."
    # A rule over several settings of one section.
    is_section = len(place) == 1
    return f"{f'[{path}]' if is_section else path}: {message}." if path else f"{message}."


def _suggestion(place: Place, schema: Schema) -> str:
    """Say what may have been meant: a near name, the right section, or the whole choice."""
    *table, key = place
    path, beside, sections = path_of(place), schema.keys(table), schema.sections()
    setting_names = [name for name in schema.keys(()) if name not in sections]
    setting_names += [f"{section}.{name}" for section, names in sections.items() for name in names]
    elsewhere = [other for other in setting_names if other.rpartition(".")[2] == key]
    if elsewhere:
        return f"Did you mean {' or '.join(elsewhere)}?"
    near = difflib.get_close_matches(path, setting_names, n=1, cutoff=0.75)
    if not near and not table:
        near = [f"[{name}]" for name in difflib.get_close_matches(path, sections, n=1)]
    near = near or difflib.get_close_matches(str(key), beside, n=1)
    if near:
        return f"Did you mean {near[0]}?"
    names = ", ".join(name for name in beside if table or name not in sections)
    if table:
        return f"{f'[{path_of(table)}]' if len(table) == 1 else path_of(table)} has {names}."
    if sections:
        return f"The sections are {', '.join(sections)}; the top has {names}."
    return f"The settings are {names}."
