"""Names of sites, data sets and studies: each can be a file's and appear in messages."""

from __future__ import annotations

import re
from typing import Annotated, TypeGuard

from pydantic import AfterValidator

from ..errors import ConfigurationError, FedscanError

#: What a name may be, for people.
NAME_RULE = (
    "Use up to 64 letters without accents, digits, '.', '_' and '-'; begin with a letter or digit."
)

_NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]{0,63}")


def is_name(value: object) -> TypeGuard[str]:
    """Return whether a value is a text that can be the name of something."""
    return isinstance(value, str) and _NAME.fullmatch(value) is not None


def require_name(name: str, what: str, error: type[FedscanError] = ConfigurationError) -> None:
    """Refuse a name that could be anything but a plain file name.

    Args:
        name: The name.
        what: What it would name, such as ``"a site"``.
        error: Kind of the error.

    Raises:
        FedscanError: Of that kind, if it is not of the allowed form.
    """
    if not is_name(name):
        raise error(f"{name!r} cannot be the name of {what}.", hint=NAME_RULE)


def _checked(name: str) -> str:
    if not is_name(name):
        raise ValueError("this cannot be a name; " + NAME_RULE[0].lower() + NAME_RULE[1:-1])
    return name


#: A setting that is a name.
Name = Annotated[str, AfterValidator(_checked)]
