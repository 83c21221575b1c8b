"""The section that compares groups of patients."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from ..measures.results import Interval
from ..section import Cell, Grid, Measure, Section
from ..settings import FairnessSettings
from .bench import Bench, Gap
from .groups import Grouping, PatientGroup
from .measures import GroupMeasure

KEY = "fairness"
TITLE = "Is it fair?"


def fairness_section(
    bench: Bench,
    grouping: Grouping,
    measures: Sequence[GroupMeasure],
    of_real: Mapping[str, GroupMeasure],
) -> Section:
    """Compare all groups by all measures, and say what was found.

    Args:
        bench: Images, weights and members.
        grouping: The groups.
        measures: What they are compared by.
        of_real: By the keys of measures, the same of classifiers trained on real images.
    """
    results: list[Measure] = []
    rows: list[tuple[Cell, ...]] = []
    beyond: list[str] = []
    for attribute in grouping.attributes:
        groups = grouping.of(attribute)
        rows += [_row(bench, group, measures, of_real) for group in groups]
        if attribute in grouping.suppressions:
            empty = (None,) * (len(measures) + len(of_real))
            rows.append((attribute, "smaller groups, not shown", None, *empty))
        for measure in measures:
            gap = bench.gap(measure, groups)
            results.append(_gap_measure(bench, attribute, groups, measure, gap, of_real))
            if gap is not None and gap.difference.low > 0:
                beyond.append(f"{measure.title}: {gap.worst} below {gap.best}")
    titles = [title for measure in measures for title in _titles(measure, of_real)]
    return Section(
        key=KEY,
        title=TITLE,
        summary=_summary(results, beyond, bench.least, grouping),
        measures=tuple(results),
        tables=(
            Grid(
                title="Groups of held-out patients",
                columns=("attribute", "group", "patients, at least", *titles),
                rows=tuple(rows),
            ),
        ),
    )


def _titles(measure: GroupMeasure, of_real: Mapping[str, GroupMeasure]) -> list[str]:
    titles = [measure.title]
    if measure.key in of_real:
        titles.append(of_real[measure.key].title)
    return titles


def _row(
    bench: Bench,
    group: PatientGroup,
    measures: Sequence[GroupMeasure],
    of_real: Mapping[str, GroupMeasure],
) -> tuple[Cell, ...]:
    cells: list[Cell] = [group.attribute, group.name, group.patients // 10 * 10 or bench.least]
    for measure in measures:
        cells.append(_shown(bench.value(measure, group)))
        if measure.key in of_real:
            cells.append(_shown(bench.value(of_real[measure.key], group)))
    return tuple(cells)


def _shown(value: Interval | None) -> str | None:
    return None if value is None else f"{value.value:.3f} ({value.low:.3f} to {value.high:.3f})"


def _gap_measure(
    bench: Bench,
    attribute: str,
    groups: Sequence[PatientGroup],
    measure: GroupMeasure,
    gap: Gap | None,
    of_real: Mapping[str, GroupMeasure],
) -> Measure:
    name = f"{measure.key}_gap_{attribute}".replace(" ", "_").replace("-", "_")
    title = f"Gap by {attribute}: {measure.title}"
    if gap is None:
        note = f"Needs two groups with {bench.least} held-out patients each, of every class."
        return Measure.of(name, title, None, "lower", note=note)
    note = f"{gap.best} was better than {gap.worst} on the half of the patients that chose them."
    same = bench.gap(of_real[measure.key], groups) if measure.key in of_real else None
    if same is not None:
        note += (
            f" Trained on real images the gap is {same.difference.value:.3f} ({same.best}, "
            f"{same.worst})."
        )
    return Measure.of(name, title, gap.difference, "lower", note=note)


def _summary(
    measures: Sequence[Measure], beyond: Sequence[str], least: int, grouping: Grouping
) -> str:
    comparisons = sum(measure.value is not None for measure in measures)
    verdict = (
        f"Groups differ beyond chance in {len(beyond)} of {comparisons} comparisons: "
        f"{'; '.join(beyond)}."
        if beyond
        else f"No gap beyond chance was found in {comparisons} comparisons."
    )
    scanners = (
        " Each site has one scanner of its own, so scanners are compared with the sites."
        if grouping.one_scanner_each
        else ""
    )
    return (
        f"{verdict} The best and the worst group are chosen on one half of the held-out patients "
        "and compared on the other; intervals are over patients, and one in forty exceeds chance "
        f"by chance. Groups with fewer than {least} held-out patients are not shown. Captions "
        "name sex and age but neither site nor scanner: for these, gaps show whose patients the "
        f"images resemble.{scanners}"
    )


def no_groups(settings: FairnessSettings) -> Section:
    """Say that no group has enough patients."""
    return Section(
        key=KEY,
        title=TITLE,
        summary=f"No group has {settings.min_patients} held-out patients, so nothing can be said.",
    )
