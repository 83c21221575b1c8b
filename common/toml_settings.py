"""Reading a TOML file of the site's own, strictly, with every problem named."""

from __future__ import annotations

import difflib
import json
import tomllib
from collections.abc import Sequence
from pathlib import Path
from typing import Any, TypeVar

from pydantic import TypeAdapter, ValidationError

from ..errors import ConfigurationError

T = TypeVar("T")


def read_toml(path: Path, what: str, hint: str) -> dict[str, Any]:
    """Read a TOML file.

    Args:
        path: The file.
        what: What it is, for the error, such as ``"The site's policy"``.
        hint: What the reader can do about a missing or broken file.

    Raises:
        ConfigurationError: If the file is missing or not TOML.
    """
    try:
        return tomllib.loads(path.read_text(encoding="utf-8"))
    except OSError as error:
        raise ConfigurationError(
            f"{what} {path} cannot be read: {error.strerror}.", hint=hint
        ) from error
    except (tomllib.TOMLDecodeError, UnicodeDecodeError) as error:
        raise ConfigurationError(f"{path} is not valid TOML: {error}.", hint=hint) from error


def read_settings(
    path: Path, adapter: TypeAdapter[T], names: Sequence[str], *, what: str, hint: str
) -> T:
    """Read a TOML file into settings.

    Args:
        path: The file.
        adapter: Of the settings' class.
        names: Names of all settings.
        what: What the file is, for the error.
        hint: What the reader can do about it.

    Raises:
        ConfigurationError: If the file is missing or not TOML, or a setting is unknown, of the
            wrong type or out of range; all of them are named.
    """
    values = read_toml(path, what, hint)
    try:
        # Through JSON, strict: "8" is not 8 and true is not 1, yet a list makes a tuple.
        return adapter.validate_json(json.dumps(values, default=str), strict=True)
    except ValidationError as failure:
        problems = {_name(one): _problem(dict(one), names) for one in failure.errors()}
        raise ConfigurationError(
            f"{what} {path} is not valid: {'; '.join(problems.values())}.", hint=hint
        ) from failure


def _name(problem: Any) -> str:
    return str(problem["loc"][0]) if problem["loc"] else ""


def _problem(problem: dict[str, Any], names: Sequence[str]) -> str:
    key = _name(problem)
    if problem["type"] == "unexpected_keyword_argument":
        near = difflib.get_close_matches(key, names, n=1) or names
        return f"there is no setting {key!r} (did you mean {' or '.join(near)}?)"
    return f"{key} = {problem['input']!r}: {problem['msg']}"
