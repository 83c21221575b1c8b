"""What one cell of a table says of findings: there, not there, or uncertain.

Cells are numbers (1, 0, -1 or empty, as tables after CheXpert have them: Irvin et al., AAAI 2019)
or labels ("Effusion|Mass", as the NIH's: Wang et al., CVPR 2017), in the vocabulary's words or
codes.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator, Mapping
from enum import Enum

from ...model.words.matching import normalised
from ...model.words.vocabulary import NO_FINDING, OTHER_FINDING, Vocabulary

#: Returns the finding's word for a text or code, ``None`` if it is none of the vocabulary.
FindWord = Callable[[str], str | None]


class Truth(Enum):
    """How a source speaks of a finding."""

    PRESENT = "present"
    ABSENT = "absent"
    UNCERTAIN = "uncertain"


_NUMBERS = {
    **dict.fromkeys(("1", "1.0", "yes", "true", "positive"), Truth.PRESENT),
    **dict.fromkeys(("0", "0.0", "no", "false", "negative"), Truth.ABSENT),
    **dict.fromkeys(("-1", "-1.0", "uncertain"), Truth.UNCERTAIN),
}
#: Cells that say nothing at all.
_SILENT = frozenset({"", "nan", "na", "n/a", "null", "none", "unlabelled", "unlabeled", "unknown"})
_DENIED = re.compile(r"(?:no|not|non|without|negative for|absence of|no evidence of)[\s-]+(?=\w)")
_DOUBTED = re.compile(
    r"(?:possible|possibly|probable|probably|suspected|suspicion of|suspicious for|query|rule out"
    r"|r/o|uncertain|questionable)\s+(?=\w)"
)
#: What a whole label means; within a sentence these words would say less.
_PLAIN = {
    **dict.fromkeys(("normal", "healthy", "negative", "unremarkable"), NO_FINDING),
    **dict.fromkeys(("abnormal", "other"), OTHER_FINDING),
}
#: A label with a word beside its finding ("bacterial pneumonia") is that finding, a longer text is
#: not, nor one that is about another time.
_LONGEST_LABEL = 3
_ANOTHER_TIME = frozenset(
    {"history", "old", "former", "previous", "prior", "resolved", "post", "after"}
)
_APART = re.compile(r"[|;\n]")


def finding_words(vocabulary: Vocabulary) -> FindWord:
    """Return how labels are found in a vocabulary; all ways to find nothing are one word."""

    def find(text: str) -> str | None:
        word = vocabulary.find(text)
        label = normalised(text)
        tokens = label.split()
        if word is None and len(tokens) <= _LONGEST_LABEL and not _ANOTHER_TIME & set(tokens):
            words = {
                matches[0].word: matches[0] for matches in vocabulary.words_in(label, "finding")
            }
            word = next(iter(words.values())) if len(words) == 1 else None
        if word is None:
            return _PLAIN.get(label)
        return NO_FINDING if word.within == NO_FINDING else word.word

    return find


def is_number(cell: str) -> bool:
    """Whether a cell is one of 1, 0, -1, their words, or empty."""
    text = cell.strip().casefold()
    return text in _NUMBERS or text in _SILENT


def truth_of(cell: str) -> Truth | None:
    """Read a cell of a column that has one finding; ``None`` if it says nothing."""
    return _NUMBERS.get(cell.strip().casefold())


def labels_in(cell: str, find: FindWord) -> Iterator[tuple[str, Truth | None]]:
    """Read a cell of labels.

    Args:
        cell: Labels, with ``|``, ``;`` or, if the whole is not a label, commas between them.
        find: The vocabulary.

    Yields:
        A finding's word and how the cell speaks of it; for a label that is not in the
        vocabulary its text, and ``None``.
    """
    for item in _items(cell, find):
        if item.casefold() not in _SILENT:
            yield _read(item, find)


def joined(truths: Mapping[str, Truth], word: str, truth: Truth) -> Truth:
    """Return what several cells of one row say of a word: there before uncertain before not."""
    order = (Truth.PRESENT, Truth.UNCERTAIN, Truth.ABSENT)
    return min(truths.get(word, truth), truth, key=order.index)


def _items(cell: str, find: FindWord) -> Iterator[str]:
    # Lists as Python writes them: "['effusion', 'mass']".
    whole = cell.strip()
    is_list = whole.startswith("[") and whole.endswith("]")
    for part in _APART.split(whole[1:-1] if is_list else whole):
        parts = [part]
        if "," in part and (is_list or _read(part.strip(), find)[1] is None):
            parts = part.split(",")
        yield from (one.strip().strip("'\"").strip() for one in parts)


def _read(item: str, find: FindWord) -> tuple[str, Truth | None]:
    word = find(item)
    # "No abnormality" is a name of that word: it is not taken apart.
    if word == NO_FINDING:
        return word, Truth.PRESENT
    text = item.casefold()
    for pattern, truth in ((_DENIED, Truth.ABSENT), (_DOUBTED, Truth.UNCERTAIN)):
        if match := pattern.match(text):
            word = find(item[match.end() :])
            return (word, truth) if word else (item, None)
    if text.endswith("?"):
        return (word, Truth.UNCERTAIN) if word else (item, None)
    return (word, Truth.PRESENT) if word else (item, None)
