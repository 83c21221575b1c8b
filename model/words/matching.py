"""Finding names in a text: whole words only, the longest first, spelling differences aside."""

from __future__ import annotations

import re
from collections.abc import Iterable

_APART = re.compile(r"[\W_]+")
#: What may stand between the words of one name; a comma or a full stop parts two statements.
_BETWEEN = r"[\s_^/+-]+"


def normalised(text: str) -> str:
    """Return a text in lower case, with one space for whatever stands between words.

    >>> normalised("Pleural_Thickening"), normalised("C-SPINE ")
    ('pleural thickening', 'c spine')
    """
    return _APART.sub(" ", text.lower()).strip()


class PhraseMatcher:
    """Finds given names in texts.

    Args:
        names: As :func:`normalised` returns them.
    """

    def __init__(self, names: Iterable[str]) -> None:
        # Where several names begin at one place, the longest is tried first.
        every = sorted(filter(None, names), key=lambda name: (-len(name), name))
        choices = "|".join(_BETWEEN.join(map(re.escape, name.split())) for name in every)
        # A plural is the same word; an underscore parts words as a space does.
        self._pattern = re.compile(
            rf"(?<![^\W_])({choices})(?:s|es)?(?![^\W_])" if every else r"(?!)"
        )

    def find(self, text: str) -> list[tuple[str, int, int]]:
        """Return (name, begin, end) of every name, in the order of the text.

        Args:
            text: In lower case.
        """
        return [
            (normalised(match[1]), match.start(), match.end())
            for match in self._pattern.finditer(text)
        ]
