"""Reading TOML text: whatever a file holds, it is a table of plain values or a clear error."""

from __future__ import annotations

import tomllib
from pathlib import Path
from typing import Any

from ...errors import ConfigurationError

_FORM = 'Values look like: epsilon = 8.0, name = "study", enabled = true.'


def read_toml(path: Path, what: str, hint: str) -> dict[str, Any]:
    """Read a TOML file; a byte-order mark, as some editors write it, is passed over.

    Args:
        path: The file.
        what: What it is, for the error, such as ``"The site's policy"``.
        hint: What the reader can do about a missing file.

    Raises:
        ConfigurationError: If the file cannot be read, or is not TOML; names the line.
    """
    try:
        return _parsed(path.read_bytes().decode("utf-8-sig"))
    except OSError as error:
        raise ConfigurationError(
            f"{what} {path} cannot be read: {error.strerror or error}.", hint=hint
        ) from error
    except UnicodeDecodeError as error:
        raise ConfigurationError(
            f"{path} is not UTF-8 text (byte {error.start}).", hint="Save it as UTF-8."
        ) from error
    except ValueError as error:
        raise ConfigurationError(f"{path} is not valid TOML: {error}.", hint=_FORM) from error


def read_value(text: str) -> Any:
    """Read one value as it stands behind ``=`` in a TOML file; what is no value is plain text.

    Raises:
        ValueError: If it is a value that is too large to be read; says so.

    >>> read_value("8"), read_value("true"), read_value("eight")
    (8, True, 'eight')
    """
    try:
        values = _parsed(f"value = {text}")
    except tomllib.TOMLDecodeError:
        return text
    # A text of several lines could bring settings of its own.
    return values["value"] if len(values) == 1 else text


def _parsed(text: str) -> dict[str, Any]:
    try:
        return tomllib.loads(text)
    except tomllib.TOMLDecodeError:
        raise
    except RecursionError:
        raise ValueError("it is nested too deeply") from None
    except ValueError:
        # Python reads no longer ones, since the time that it takes grows with their square.
        raise ValueError("a number has thousands of digits") from None
