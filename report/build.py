"""Write ``report.html``: one file, no scripts, no requests."""

from __future__ import annotations

import base64
import json
from collections.abc import Mapping, Sequence
from importlib import resources
from pathlib import Path
from typing import Any

from jinja2 import Environment, PackageLoader, StrictUndefined
from markupsafe import Markup

from ..errors import DataError
from ..evaluation.results import GalleryGroup
from ..files import write_atomically
from .curves import curves, site_names
from .headline import summary, tiles
from .line_chart import legend
from .measures import distance_charts, style_of, task_views
from .numbers import duration, exact, number, percent, size
from .results import RunResults


def write_report(
    results: RunResults | Mapping[str, Any], out: Path, *, gallery: Path | None = None
) -> Path:
    """Write the report of a run.

    Args:
        results: The run's results, or the content of its ``results.json``.
        out: HTML file to write.
        gallery: Folder with the files that the evaluation's gallery names; without it the
            report has no gallery.

    Returns:
        ``out``.

    Raises:
        DataError: If the results cannot be read or a gallery file is missing.
    """
    run = results if isinstance(results, RunResults) else RunResults.from_dict(results)
    environment = Environment(
        loader=PackageLoader("fedscan.report", "."),
        autoescape=True,
        trim_blocks=True,
        lstrip_blocks=True,
        undefined=StrictUndefined,
    )
    environment.filters |= {
        "number": number,
        "exact": exact,
        "percent": percent,
        "duration": duration,
        "size": size,
        "style_of": style_of,
    }
    charts = curves(run)
    evaluation = run.evaluation
    page = environment.get_template("report.html.j2").render(
        run=run,
        evaluation=evaluation,
        css=Markup(resources.files(__package__).joinpath("report.css").read_text("utf-8")),
        summary=summary(run),
        tiles=tiles(run),
        curves=[(chart.title, chart.draw()) for chart in charts],
        legend=legend(site_names(run)),
        tasks=task_views(evaluation) if evaluation else [],
        distances=distance_charts(evaluation) if evaluation else [],
        gallery=_groups(evaluation.gallery, gallery) if evaluation and gallery else [],
        closest=_groups(evaluation.closest, gallery) if evaluation and gallery else [],
        data=_data_uri("application/json", json.dumps(run.to_dict(), indent=1).encode()),
    )
    write_atomically(out, page.encode())
    return out


def _groups(
    groups: Sequence[GalleryGroup], folder: Path
) -> list[tuple[str, list[tuple[str, bool, str]]]]:
    """Per group its title and per strip the source, whether it is synthetic, and the image."""
    return [
        (
            group.title,
            [(strip.source, strip.synthetic, _image(folder, strip.file)) for strip in group.strips],
        )
        for group in groups
    ]


def _image(folder: Path, name: str) -> str:
    if Path(name).name != name:
        raise DataError(f"The gallery names {name!r}, which is not a plain file name.")
    try:
        return _data_uri("image/png", (folder / name).read_bytes())
    except OSError as error:
        raise DataError(
            f"The gallery's file {name!r} cannot be read from {folder}.",
            hint="Give the folder that the evaluation wrote its gallery to.",
        ) from error


def _data_uri(kind: str, content: bytes) -> str:
    return f"data:{kind};base64,{base64.b64encode(content).decode('ascii')}"
