"""What all pages share: the templates' environment, the style sheet and files put inline."""

from __future__ import annotations

import base64
from importlib import resources
from pathlib import Path

from jinja2 import Environment, PackageLoader, StrictUndefined
from markupsafe import Markup

from ...errors import DataError
from .measures import style_of
from .numbers import duration, exact, number, percent, score, size


def templates() -> Environment:
    """The templates of this package, with the filters that they use."""
    environment = Environment(
        loader=PackageLoader("fedscan.evaluation.report", "."),
        autoescape=True,
        trim_blocks=True,
        lstrip_blocks=True,
        undefined=StrictUndefined,
    )
    environment.filters |= {
        "number": number,
        "score": score,
        "exact": exact,
        "percent": percent,
        "duration": duration,
        "size": size,
        "style_of": style_of,
    }
    return environment


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
