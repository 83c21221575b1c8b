"""Write ``report.html``: one file, no scripts, no requests."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from ...common.files import write_atomically
from ..measures.results import GalleryGroup
from ..results import read_examination
from .curves import curves, site_names
from .examination import pictures
from .headline import step_warnings, summary, tiles
from .line_chart import legend
from .many_sites import are_many, parted, round_lines
from .measures import distance_charts, task_views
from .page import data_uri, inline_png, style_sheet, templates, with_readable_tables
from .results import RunResults


def write_report(
    results: RunResults | Mapping[str, Any],
    out: Path,
    *,
    gallery: Path | None = None,
    examination: Path | None = None,
) -> Path:
    """Write the report of a run.

    Args:
        results: The run's results, or the content of its ``results.json``.
        out: HTML file to write.
        gallery: Folder with the files that the evaluation's gallery names; without it the
            report has no gallery.
        examination: Folder of an examination to show as well.

    Returns:
        ``out``.

    Raises:
        DataError: If results or examination cannot be read, or a picture is missing.
    """
    run = results if isinstance(results, RunResults) else RunResults.from_dict(results)
    charts = curves(run)
    evaluation = run.evaluation
    document = read_examination(examination) if examination else None
    page = (
        templates()
        .get_template("report.html.j2")
        .render(
            run=run,
            evaluation=evaluation,
            css=style_sheet(),
            summary=summary(run),
            tiles=tiles(run),
            curves=[(chart.title, chart.draw()) for chart in charts],
            legend=legend(list(charts[0].series) if charts and are_many(run) else site_names(run)),
            sites=parted(run)[0],
            folded=parted(run)[1],
            round_lines=round_lines(run),
            asked=len({entry.site for entry in run.rounds}),
            step_warnings=step_warnings(run),
            tasks=task_views(evaluation) if evaluation else [],
            distances=distance_charts(evaluation) if evaluation else [],
            gallery=_groups(evaluation.gallery, gallery) if evaluation and gallery else [],
            closest=_groups(evaluation.closest, gallery) if evaluation and gallery else [],
            examination=document,
            pictures=pictures(document, examination) if document and examination else {},
            data=data_uri("application/json", json.dumps(run.to_dict(), indent=1).encode()),
        )
    )
    write_atomically(out, with_readable_tables(page).encode())
    return out


def _groups(
    groups: Sequence[GalleryGroup], folder: Path
) -> list[tuple[str, list[tuple[str, bool, str]]]]:
    """Per group its title and per strip the source, whether it is synthetic, and the image."""
    return [
        (
            group.title,
            [
                (strip.source, strip.synthetic, inline_png(folder, strip.file))
                for strip in group.strips
            ],
        )
        for group in groups
    ]
