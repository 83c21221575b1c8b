"""One row of a table of labels: what it is about, and what it says."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

from .cells import FindWord, Truth, joined, labels_in, truth_of
from .columns import Columns, Key
from .source import Split

_TRAIN = frozenset({"train", "training", "dev train"})
_HELD_OUT = frozenset(
    {"test", "testing", "val", "valid", "validate", "validation", "held out", "heldout"}
    | {"hold out", "holdout", "eval", "evaluation", "dev"}
)


@dataclass(frozen=True, slots=True)
class Row:
    """One row of a table.

    Attributes:
        names: What it is about; only what is not empty.
        truths: What it says of findings.
        complete: Whether it speaks of every finding that the table has a column for.
        split: The side that its patient is on, if it says so.
        report: Its text.
    """

    names: Mapping[Key, str] = field(repr=False)
    truths: Mapping[str, Truth]
    complete: bool
    split: Split | None
    report: str = field(repr=False)


def read_row(
    cells: Sequence[str], columns: Columns, find: FindWord, unknown_words: Counter[str]
) -> Row:
    """Read one row.

    Args:
        cells: Its cells.
        columns: What they mean.
        find: The vocabulary.
        unknown_words: Labels that it does not have are counted here.
    """
    truths: dict[str, Truth] = {}
    complete = True
    for number, word in columns.numbers.items():
        if (truth := truth_of(cells[number])) is None:
            complete = False
        else:
            truths[word] = joined(truths, word, truth)
    for number in columns.labels:
        labels = list(labels_in(cells[number], find))
        complete &= bool(labels)
        for word, statement in labels:
            if statement is None:
                complete = False
                unknown_words[word] += 1
            else:
                truths[word] = joined(truths, word, statement)
    names = {key: name for key, number in columns.keys.items() if (name := cells[number].strip())}
    return Row(
        names=names,
        truths=truths,
        complete=complete,
        split=None if columns.split is None else _split(cells[columns.split]),
        report="" if columns.report is None else " ".join(cells[columns.report].split()),
    )


def _split(cell: str) -> Split | None:
    text = " ".join(cell.casefold().replace("_", " ").replace("-", " ").split())
    if text in _TRAIN:
        return Split.TRAIN
    return Split.HELD_OUT if text in _HELD_OUT else None
