"""The guard of output folders: what was generated before is never mixed or overwritten."""

from __future__ import annotations

from pathlib import Path

from ..errors import DataError
from .manifest import NAME

#: Pictures that lie beside generated files.
SHEET = "contact-sheet.png"
VIEWS = "views.png"


def require_unused(folder: Path) -> None:
    """Refuse a folder that holds generated files already.

    Raises:
        DataError: If it does, or is no folder.
    """
    if folder.exists() and not folder.is_dir():
        raise DataError(f"{folder} is a file.", hint="Choose another --out, a folder.")
    if any((folder / name).exists() for name in (NAME, SHEET, VIEWS)):
        raise DataError(f"{folder} already holds generated images.", hint="Choose another --out.")
