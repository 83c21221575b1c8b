"""What a prompt says is not there, and what it is not sure of.

"No pneumonia" must not draw pneumonia. Words that deny stand before what they deny, up to the end
of the clause, or right behind it (after NegEx: Chapman et al., J Biomed Inform 34, 2001). What is
only suspected is neither there nor not.
"""

from __future__ import annotations

import re
from enum import Enum

_DENIED_BEFORE = re.compile(
    r"(?<![\w-])(?:no|not|non|without|w/o|negative for|free of|free from|absence of|lack(?:s|ing)?"
    r"|exclud(?:es|ed|ing)|ruled out|rul(?:es|ing) out|never|neither|nor|denies|except)(?![\w-])"
)
_DENIED_BEHIND = re.compile(
    r"\W*(?:(?:is|are|was|were|has been|have been)\s+)?"
    r"(?:excluded|ruled out|absent|negative(?! for)|resolved"
    r"|not (?:seen|present|visible|found|shown)|free(?! of| from))(?![\w-])"
)
_DOUBTED_BEFORE = re.compile(
    r"(?<![\w-])(?:r/o|rule out|exclude|evaluate(?: for)?|query|suspect(?:ed)?|suspicion of"
    r"|suspicious for|possibl[ey]|probabl[ey]|history of|previous|follow-?up(?: of)?"
    r"|screening(?: for)?)(?![\w-])"
)
_DOUBTED_BEHIND = re.compile(r"\s*(?:\?|(?:is |are )?(?:suspected|possible|unlikely))")
#: What a denial does not reach across.
_CLAUSE_ENDS = re.compile(r"[.,;:()]|(?<![\w-])(?:but|however|with|showing|though)(?![\w-])")


class Said(Enum):
    """How a prompt speaks of something."""

    THERE = "there"
    DENIED = "denied"
    DOUBTED = "doubted"


def how_said(text: str, start: int, end: int, *, far: bool) -> Said:
    """Tell how a prompt speaks of a phrase.

    Args:
        text: The prompt in lower case.
        start: Where the phrase begins.
        end: Where it ends.
        far: Whether a denial reaches it across other words: "no lesion in the head" denies the
            lesion and not the head.
    """
    before = _CLAUSE_ENDS.split(text[:start])[-1]
    if not far:
        nearest = re.search(r"\S+\s+\Z", before)
        before = nearest[0] if nearest else ""
    if _DOUBTED_BEFORE.search(before) or _DOUBTED_BEHIND.match(text, end):
        return Said.DOUBTED
    if _DENIED_BEFORE.search(before) or _DENIED_BEHIND.match(text, end):
        return Said.DENIED
    return Said.THERE
