"""Write ``examination.html``: one file, no scripts, no requests."""

from __future__ import annotations

import json
from pathlib import Path

from ...common.files import write_atomically
from ..results import Examination
from .page import data_uri, inline_png, style_sheet, templates, with_readable_tables


def write_examination_page(examination: Examination, folder: Path) -> Path:
    """Write an examination's page into its folder.

    Args:
        examination: What was found.
        folder: The examination's folder, with its figures.

    Returns:
        The page.

    Raises:
        DataError: If a figure's file is missing.
    """
    page = (
        templates()
        .get_template("examination.html.j2")
        .render(
            examination=examination,
            css=style_sheet(),
            pictures=pictures(examination, folder),
            data=data_uri("application/json", json.dumps(examination.to_dict(), indent=1).encode()),
        )
    )
    file = folder / "examination.html"
    write_atomically(file, with_readable_tables(page).encode())
    return file


def pictures(examination: Examination, folder: Path) -> dict[str, str]:
    """Every figure of an examination by its file, put inline."""
    return {
        figure.file: inline_png(folder, figure.file)
        for section in examination.sections
        for figure in section.figures
    }
