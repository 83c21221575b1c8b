"""Where public images are from and under which licence: a base says so wherever it goes."""

from __future__ import annotations

import csv
from dataclasses import dataclass
from pathlib import Path

from ...errors import DataError

#: The table beside public images, and the columns that it must have.
CREDITS_FILE = "sources.csv"
_COLUMNS = ("source", "licence", "citation")


@dataclass(frozen=True, kw_only=True)
class Credit:
    """One source of public images.

    Attributes:
        source: Its short name, as the images' table calls it.
        licence: What allows the use.
        citation: Whom to name.
    """

    source: str
    licence: str
    citation: str


def read_credits(folder: Path) -> tuple[Credit, ...]:
    """Read a folder's ``sources.csv``: columns ``source``, ``licence`` and ``citation``.

    Raises:
        DataError: If there is none, or a cell of these columns is empty.
    """
    path = folder / CREDITS_FILE
    try:
        rows = list(csv.DictReader(path.read_text(encoding="utf-8-sig").splitlines()))
    except (OSError, UnicodeDecodeError, csv.Error) as error:
        raise DataError(
            f"{folder} has no readable {CREDITS_FILE}, which says whose images these are.",
            hint="Write one with the columns source, licence and citation, a row for each source: "
            "a base names them wherever it goes.",
        ) from error
    cells = [{name: (row.get(name) or "").strip() for name in _COLUMNS} for row in rows]
    missing = [name for name in _COLUMNS if any(not row[name] for row in cells)]
    if missing or not cells:
        raise DataError(
            f"{path} does not say {' and '.join(missing or _COLUMNS)} of every source.",
            hint="Fill in the columns source, licence and citation.",
        )
    return tuple(Credit(**row) for row in cells)
