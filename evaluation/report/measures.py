"""The evaluation's part of the report: utility and quality, with their charts."""

from __future__ import annotations

from dataclasses import dataclass

from markupsafe import Markup

from ..measures.results import EvaluationResult, TaskInfo, TaskUtility
from .bar_chart import Bar, bar_chart
from .interval_chart import IntervalRow, interval_chart

REAL = "real images"
_STYLES = {
    REAL: "g-real",
    "base": "g-base",
    "fedscan": "g-fedscan",
    "non-private": "g-non-private",
    "single-site": "g-single-site",
    "pooled": "g-pooled",
}


def style_of(name: str) -> str:
    """CSS class of a generator; the same in all charts and in the gallery."""
    return _STYLES.get(name, "g-other")


@dataclass(frozen=True, kw_only=True)
class TaskView:
    """One task: its chart, and a row of numbers per training set."""

    info: TaskInfo
    chart: Markup
    rows: list[tuple[str, TaskUtility]]


def task_views(evaluation: EvaluationResult) -> list[TaskView]:
    """The tasks in order, real images first in each."""
    views = []
    for info in evaluation.tasks:
        rows = [(REAL, scores) for scores in evaluation.real.utility if scores.task == info.key]
        rows += [
            (generator.name, scores)
            for generator in evaluation.generators
            for scores in generator.utility
            if scores.task == info.key
        ]
        chart = interval_chart(
            [
                IntervalRow(name=name, interval=scores.auc, style=style_of(name))
                for name, scores in rows
            ],
            title=f"AUC on real held-out patients: {info.title}",
            axis="AUC on real held-out patients, 95 % interval by patient",
            chance=0.5,
        )
        views.append(TaskView(info=info, chart=chart, rows=rows))
    return views


def distance_charts(evaluation: EvaluationResult) -> list[tuple[str, Markup]]:
    """Fréchet and kernel distance, real training images first."""
    sets = [(REAL, evaluation.real.distances)]
    sets += [(generator.name, generator.distances) for generator in evaluation.generators]
    return [
        (
            title,
            bar_chart(
                [
                    Bar(name=name, value=value, style=style_of(name))
                    for name, distances in sets
                    for value in [getattr(distances, field)]
                ],
                title=f"{title}; shorter is better",
            ),
        )
        for title, field in (("Fréchet distance", "frechet"), ("Kernel distance", "kernel"))
    ]
