"""Overrides from the command line: ``section.key=value``, the value as in TOML."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

from ..common.toml_settings import read_value
from ..errors import ConfigurationError


def apply_overrides(
    values: Mapping[str, Any], overrides: Iterable[str], text_settings: Iterable[str]
) -> dict[str, Any]:
    """Return the configuration with each override put in; a later one wins.

    Names and values are not judged here: an unknown one is reported with all other
    problems of the configuration.

    Args:
        values: Nested values as read from TOML; not changed.
        overrides: ``"section.key=value"`` or ``"key=value"`` texts.
        text_settings: Paths of the settings that are text, whose value needs no quotes
            even where it looks like a number.

    Raises:
        ConfigurationError: If an override is not of the form ``name=value``, or its value is
            too large to be read.
    """
    result = {
        key: dict(value) if isinstance(value, dict) else value for key, value in values.items()
    }
    texts = frozenset(text_settings)
    for override in overrides:
        path, equals, text = override.partition("=")
        names = [name.strip() for name in path.split(".")]
        if not equals or not 1 <= len(names) <= 2 or not all(names):
            raise ConfigurationError(
                f"The override {override!r} is not of the form section.key=value.",
                hint="For example: --set privacy.epsilon=4",
            )
        *section, key = names
        path = ".".join(names)
        value = _read(path, text.strip(), is_text=path in texts)
        table: Any = result.setdefault(section[0], {}) if section else result
        if not isinstance(table, dict):
            # The file set a plain value where a section belongs; the section as such wins
            # so that validation names the real problem only once.
            table = result[section[0]] = {}
        table[key] = value
    return result


def _read(path: str, text: str, *, is_text: bool) -> Any:
    try:
        value = read_value(text)
    except ValueError as error:
        if is_text:
            return text
        raise ConfigurationError(
            f"The value of {path} cannot be read: {error}.",
            hint="`fedscan config --markdown` says what is allowed.",
        ) from error
    return text if is_text and not isinstance(value, str) else value
