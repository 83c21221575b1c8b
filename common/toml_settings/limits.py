"""What no setting can be, whatever its class allows: too deep, too large, or not text."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from ...errors import ConfigurationError
from .places import Place, path_of

#: Tables and lists in each other. No settings class needs more than four.
_DEEPEST = 16
#: TOML's whole numbers have 64 bits. Python reads longer ones, but cannot always write them.
_WHOLE = range(-(2**63), 2**63)


def require_plain(values: Mapping[str, Any], source: str) -> None:
    """Refuse values that could not be told in an error message, or written to a file.

    Args:
        values: Values by name, in tables and lists.
        source: Where they come from, to begin the error message with.

    Raises:
        ConfigurationError: If something is nested too deeply, a whole number has more than
            64 bits, or a text has characters that are none.
    """
    # Without recursion, which would end before the deepest value is reached.
    waiting: list[tuple[Place, Any]] = [((), values)]
    while waiting:
        place, value = waiting.pop()
        if problem := _problem(place, value):
            raise ConfigurationError(f"{source}: {path_of(place[:_DEEPEST])} {problem}.")
        if isinstance(value, Mapping):
            waiting += [((*place, key), inner) for key, inner in value.items()]
        elif isinstance(value, (list, tuple)):
            waiting += [((*place, number), inner) for number, inner in enumerate(value)]


def _problem(place: Place, value: Any) -> str:
    if len(place) > _DEEPEST:
        return f"is nested more than {_DEEPEST} deep"
    if isinstance(value, int) and value not in _WHOLE:
        return "is a whole number of more than 64 bits"
    if not all(_is_text(text) for text in (value, *place[-1:])):
        return "holds bytes that are not UTF-8 text"
    return ""


def _is_text(value: Any) -> bool:
    try:
        return not isinstance(value, str) or bool(value.encode()) or not value
    except UnicodeEncodeError:
        return False
