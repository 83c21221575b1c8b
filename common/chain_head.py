"""The text form of a chain's end: how far it goes, and the hash of what is last, ``12:5f0c…``."""

from __future__ import annotations

import re

from ..errors import FedscanError

_HEAD = re.compile(r"([0-9]{1,18}):([0-9a-f]{64})")


def head_to_text(number: int, digest: str) -> str:
    """Return the text that :func:`head_from_text` reads back."""
    return f"{number}:{digest}"


def head_from_text(text: str, what: str, error: type[FedscanError]) -> tuple[int, str]:
    """Read the end of a chain as people note it elsewhere.

    Args:
        text: The number and the SHA-256 in hex, joined by a colon; blanks around it are no matter.
        what: What it is the head of, such as ``"an audit log"``.
        error: Kind of the error.

    Returns:
        The number and the hash.

    Raises:
        FedscanError: Of that kind, if the text has another form.
    """
    match = _HEAD.fullmatch(text.strip())
    if match is None:
        raise error(
            f"{text.strip()[:80]!r} is not the head of {what}.",
            hint="A head looks like 12:5f0c…, a number and 64 hexadecimal digits.",
        )
    return int(match[1]), match[2]
