"""Check plain values against a settings class, strictly, and report everything at once."""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any, TypeVar

from pydantic import TypeAdapter, ValidationError

from .problems import configuration_error
from .schema import settings

T = TypeVar("T")


def validated(settings_type: type[T], values: Mapping[str, Any], source: str) -> T:
    """Build settings from values as TOML or the command line give them.

    Args:
        settings_type: A pydantic dataclass, with or without sections.
        values: Values by name; sections are nested.
        source: Where the values come from, to begin the error message with.

    Raises:
        ConfigurationError: Naming every setting that is unknown, of the wrong type or out of
            range, with what is allowed.
    """
    # Through JSON, pydantic's strict mode refuses "8" for 8 and 1 for true, yet still takes
    # a list for a tuple and a table for a section. TOML's dates count as text.
    text = json.dumps(values, default=str)
    try:
        return TypeAdapter(settings_type).validate_json(text, strict=True)
    except ValidationError as failure:
        raise configuration_error(failure, tuple(settings(settings_type)), source) from failure
