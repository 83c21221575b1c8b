"""What all pages share: the templates' environment, the style sheet and files put inline."""

from __future__ import annotations

import base64
import re
from importlib import resources
from pathlib import Path

from jinja2 import Environment
from markupsafe import Markup, escape

from ...common.html_templates import html_templates
from ...errors import DataError
from .measures import style_of
from .numbers import duration, exact, number, percent, score, size

_TABLE = re.compile(
    r'<div class="scroll"><table>(?P<head>.*?</thead>)(?P<body>.*?</table>)', re.DOTALL
)
_HEADING = re.compile(r"<th\b[^>]*>(.*?)</th>", re.DOTALL)
_ROW = re.compile(r"<tr>.*?</tr>", re.DOTALL)
_CELL = re.compile(r"<(?P<kind>t[dh])\b(?P<marks>[^>]*)>(?P<content>.*?)</t[dh]>", re.DOTALL)


def templates() -> Environment:
    """The templates of this package, with the filters that they use."""
    return html_templates(
        "fedscan.evaluation.report",
        number=number,
        score=score,
        exact=exact,
        percent=percent,
        duration=duration,
        size=size,
        style_of=style_of,
    )


def with_readable_tables(page: str) -> str:
    """Return a page whose tables can be read in a narrow window and by keyboard.

    Each cell names its column, so that the style sheet can show a row as a list where there is no
    room for a table; and what may scroll can be reached without a mouse.

    Args:
        page: The page, of this package's templates.
    """
    return _TABLE.sub(_readable, page)


def _readable(table: re.Match[str]) -> str:
    head, body = table["head"], table["body"]
    names = [escape(Markup(name).striptags()) for name in _HEADING.findall(head)]

    def row(cells: re.Match[str]) -> str:
        columns = iter(names)

        def labelled(cell: re.Match[str]) -> str:
            name, content = next(columns, ""), cell["content"]
            if cell["kind"] == "th" and content.isdecimal():
                # A number alone at the head of a list would say nothing.
                return f'<th{cell["marks"]} data-label="{name}">{content}</th>'
            if cell["kind"] == "th" or not content:
                return cell[0]
            # In a list its name and all of its content are two parts.
            return f'<td{cell["marks"]} data-label="{name}"><span>{content}</span></td>'

        return _CELL.sub(labelled, cells[0])

    label = f"Table of {names[0]}" if names else "Table"
    opening = f'<div class="scroll" tabindex="0" role="group" aria-label="{label}">'
    return f"{opening}<table>{head}{_ROW.sub(row, body)}"


def style_sheet() -> Markup:
    """The style sheet, to be put into a page."""
    return Markup(resources.files(__package__).joinpath("report.css").read_text("utf-8"))


def data_uri(kind: str, content: bytes) -> str:
    """Content as an address that needs no request."""
    return f"data:{kind};base64,{base64.b64encode(content).decode('ascii')}"


def inline_png(folder: Path, name: str) -> str:
    """Read a PNG file of a folder as such an address.

    Raises:
        DataError: If the name is not a plain file name or the file cannot be read.
    """
    if Path(name).name != name:
        raise DataError(f"A page names the picture {name!r}, which is not a plain file name.")
    try:
        return data_uri("image/png", (folder / name).read_bytes())
    except OSError as error:
        raise DataError(
            f"The picture {name!r} cannot be read from {folder}.",
            hint="Give the folder that the evaluation or examination wrote its pictures to.",
        ) from error
