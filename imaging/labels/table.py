"""A hospital's table of labels, read from a file of comma-separated values."""

from __future__ import annotations

import csv
import hashlib
import io
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path

from ...errors import DataError
from ...model.words.vocabulary import Vocabulary
from .cells import finding_words
from .columns import Columns, Key, read_columns
from .matching import TableLabelling
from .rows import Row, read_row

_LONGEST_CELL = 1 << 20
_HINT = "Save it as comma-separated values (CSV) in UTF-8, names of columns on the first line."


@dataclass(frozen=True, kw_only=True, eq=False)
class LabelTable:
    """A table of labels.

    Attributes:
        name: The file's name.
        digest: SHA-256 of the file, and of what rows are matched by.
        by: What rows are matched by.
        columns: What its columns mean.
        rows: Its rows.
        unknown_words: Rows by label that is not in the vocabulary.
        vocabulary: Whose words it is read by.
    """

    name: str
    digest: str
    by: Key
    columns: Columns
    rows: tuple[Row, ...]
    unknown_words: Counter[str]
    vocabulary: Vocabulary

    def begin(self) -> TableLabelling:
        """Begin a pass over a folder's files."""
        return TableLabelling(self.rows, self.columns, self.by, self.vocabulary, self.unknown_words)


def read_table(path: Path, vocabulary: Vocabulary, by: str = "") -> LabelTable:
    """Read a table of labels.

    Args:
        path: Comma, semicolon or tab separated values in UTF-8, names of columns on the first
            line; see :mod:`.columns` for what they may be called.
        vocabulary: Whose findings it may name, by words, names and codes.
        by: What rows are matched by: image, series, study, accession or patient. The most exact
            that the table has a column for, if empty.

    Raises:
        DataError: If the file cannot be read or is no such table; no cell is quoted.
    """
    return _table(path, table_content(path), vocabulary, by)


@lru_cache(maxsize=4)
def _table(path: Path, content: bytes, vocabulary: Vocabulary, by: str) -> LabelTable:
    find = finding_words(vocabulary)
    names, cells = parse_table(path, content)
    columns = read_columns(path, names, cells, find)
    key = _matched_by(path, columns, by)
    unknown_words: Counter[str] = Counter()
    rows = tuple(read_row(line, columns, find, unknown_words) for line in cells)
    return LabelTable(
        name=path.name,
        digest=_digest(content, key, rows),
        by=key,
        columns=columns,
        rows=rows,
        unknown_words=unknown_words,
        vocabulary=vocabulary,
    )


def table_content(path: Path) -> bytes:
    """Return the bytes of a table's file.

    Raises:
        DataError: If it cannot be read.
    """
    try:
        return path.read_bytes()
    except OSError as error:
        raise DataError(
            f"The table {path} cannot be read: {error.strerror}.", hint=_HINT
        ) from error


def parse_table(path: Path, content: bytes) -> tuple[list[str], list[list[str]]]:
    """Return the names of a table's columns, and its rows.

    Args:
        path: The file, for errors.
        content: What is in it.

    Raises:
        DataError: If it is no table.
    """
    try:
        text = content.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        raise DataError(f"The table {path} is not text in UTF-8.", hint=_HINT) from error
    csv.field_size_limit(_LONGEST_CELL)
    first = text.partition("\n")[0]
    delimiter = max(",;\t", key=first.count)
    try:
        lines = [line for line in csv.reader(io.StringIO(text, ""), delimiter=delimiter) if line]
    except csv.Error as error:
        raise DataError(f"The table {path} is no CSV: {error}.", hint=_HINT) from error
    if len(lines) < 2:
        raise DataError(f"The table {path} has no rows.", hint=_HINT)
    names, rows = [name.strip() for name in lines[0]], lines[1:]
    for number, row in enumerate(rows, start=2):
        if len(row) != len(names):
            raise DataError(
                f"Row {number} of {path} has {len(row)} cells, and the first row {len(names)}.",
                hint="A text with commas or line breaks belongs in double quotes.",
            )
    return names, rows


def _matched_by(path: Path, columns: Columns, by: str) -> Key:
    if not by:
        return min(columns.keys, key=list(Key).index)
    if by not in columns.keys:
        raise DataError(
            f"{path.name} has no column that says which {by} a row is about.",
            hint=f"It has one for {', '.join(columns.keys)}.",
        )
    return Key(by)


def _digest(content: bytes, key: Key, rows: Sequence[Row]) -> str:
    """Hash the file, what rows are matched by, and what the vocabulary makes of them."""
    digest = hashlib.sha256(content)
    digest.update(key.encode())
    for row in rows:
        digest.update(repr(sorted((w, t.value) for w, t in row.truths.items())).encode())
    return digest.hexdigest()
