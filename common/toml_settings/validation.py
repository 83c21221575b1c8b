"""Check plain values against a settings class, strictly, and report everything at once."""

from __future__ import annotations

import functools
import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any, TypeVar, cast

from pydantic import TypeAdapter, ValidationError

from .limits import require_plain
from .places import Schema
from .problems import configuration_error
from .reading import read_toml

T = TypeVar("T")


def validated(settings_type: type[T], values: Mapping[str, Any], source: str, hint: str = "") -> T:
    """Build settings from values as TOML or the command line give them.

    Args:
        settings_type: A pydantic dataclass, with or without sections, or a ``dict`` of them.
        values: Values by name; sections are nested.
        source: Where the values come from, to begin the error message with.
        hint: What the reader can do about it.

    Raises:
        ConfigurationError: Naming every setting that is unknown, of the wrong type or out of
            range, with what is allowed.
    """
    require_plain(values, source)
    # Through JSON, pydantic's strict mode refuses "8" for 8 and 1 for true, yet still takes
    # a list for a tuple and a table for a section. TOML's dates count as text.
    text = json.dumps(values, default=str)
    adapter = _adapter(cast(Any, settings_type))
    try:
        return cast(T, adapter.validate_json(text, strict=True))
    except ValidationError as failure:
        root = adapter.json_schema()
        schema = Schema(root, root.get("$defs", {}))
        raise configuration_error(failure, schema, source, hint) from failure


def read_settings(settings_type: type[T], path: Path, what: str, hint: str) -> T:
    """Read a TOML file into settings.

    Args:
        settings_type: A pydantic dataclass, with or without sections, or a ``dict`` of them.
        path: The file.
        what: What the file is, for the error, such as ``"The site's policy"``.
        hint: What the reader can do about it.

    Raises:
        ConfigurationError: If the file is missing or not TOML, or a setting is unknown, of the
            wrong type or out of range; all of them are named.
    """
    return validated(settings_type, read_toml(path, what, hint), f"{what} {path}", hint)


@functools.cache
def _adapter(settings_type: Any) -> TypeAdapter[Any]:
    return TypeAdapter(settings_type)
