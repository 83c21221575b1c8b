"""Finding names in a text: whole words only, the longest first, spelling differences aside."""

from __future__ import annotations

import re
from collections.abc import Iterable

_APART = re.compile(r"[\W_]+")


def normalised(text: str) -> str:
    """Return a text in lower case, with one space for whatever stands between words.

    >>> normalised("Pleural_Thickening"), normalised("C-SPINE ")
    ('pleural thickening', 'c spine')
    """
    return _APART.sub(" ", text.lower()).strip()


class PhraseMatcher:
    """Finds given names in normalised texts.

    Args:
        names: Normalised names.
    """

    def __init__(self, names: Iterable[str]) -> None:
        every = sorted((name for name in names if name), key=lambda name: (-len(name), name))
        # At one place the longest name is tried first, and a plural is the same word.
        choices = "|".join(map(re.escape, every))
        self._pattern = re.compile(rf"\b({choices})(?:s|es)?\b") if every else None

    def find(self, text: str) -> list[tuple[str, int, int]]:
        """Return (name, begin, end) of every name, in the order of the text.

        Args:
            text: As :func:`normalised` returns it.
        """
        if self._pattern is None:
            return []
        spans = [(m[1], m.start(), m.end()) for m in self._pattern.finditer(text)]
        return spans
