"""The curves by round and site."""

from __future__ import annotations

from collections.abc import Callable, Sequence

from .line_chart import LineChart
from .many_sites import Points, are_many, condensed, standing_apart
from .results import RunResults, SiteRound


def curves(run: RunResults) -> list[LineChart]:
    """The curves that the run's rounds allow; a quantity that is never known has none."""
    sites = site_names(run)
    apart = standing_apart(run)
    answers = [entry for entry in run.rounds if entry.code == "ok"]

    def series(value: Callable[[SiteRound], float | None]) -> Points:
        points: dict[str, list[tuple[int, float]]] = {site: [] for site in sites}
        for entry in sorted(answers, key=lambda entry: entry.round):
            number = value(entry)
            if number is not None:
                points[entry.site].append((entry.round, number))
        return condensed(points, apart) if are_many(run) else points

    ceilings = [site.privacy.epsilon_ceiling for site in run.sites if site.privacy]
    charts = [
        LineChart(
            title="Privacy spent (ε)",
            series=series(lambda entry: entry.epsilon),
            limit=min(ceilings) if ceilings else None,
            limit_name="ceiling" if len(set(ceilings)) == 1 else "lowest ceiling",
        ),
        LineChart(title="Norm of the update", series=series(lambda entry: entry.update_norm)),
        LineChart(
            title="Agreement with the step taken (cosine)",
            series=series(lambda entry: entry.cosine),
        ),
        LineChart(title="Seconds per round", series=series(lambda entry: entry.seconds)),
    ]
    return [chart for chart in charts if any(chart.series.values())]


def site_names(run: RunResults) -> Sequence[str]:
    """The sites in the order of the report, then any other name that the rounds know."""
    names = [site.name for site in run.sites]
    return [*names, *sorted({entry.site for entry in run.rounds} - set(names))]
