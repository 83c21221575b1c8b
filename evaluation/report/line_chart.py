"""A line chart over rounds, one line per site."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from markupsafe import Markup

from .numbers import number, tick, ticks
from .svg import STYLES, join, line, marker, picture, tag, text

_WIDTH, _HEIGHT = 420.0, 210.0
_LEFT, _RIGHT, _TOP, _BOTTOM = 46.0, 10.0, 12.0, 34.0
#: More points than this are drawn as a line alone.
_MARKED_POINTS = 40


@dataclass(frozen=True, kw_only=True)
class LineChart:
    """What a chart shows.

    Attributes:
        title: Name, also for screen readers.
        series: Per name its ``(round, value)`` points, in the order of the legend.
        zero: Whether the axis starts at zero.
        limit: A line to stay below, such as a budget's ceiling.
        limit_name: What that line is.
    """

    title: str
    series: Mapping[str, Sequence[tuple[int, float]]]
    zero: bool = True
    limit: float | None = None
    limit_name: str = ""

    def draw(self) -> Markup:
        """Draw the chart; without any point, an empty string."""
        points = [point for line_points in self.series.values() for point in line_points]
        if not points:
            return Markup("")
        values = [value for _, value in points] + ([0.0] if self.zero else [])
        values += [] if self.limit is None else [self.limit]
        rows = ticks(min(values), max(values))
        low, high = rows[0], rows[-1]
        first, last = min(r for r, _ in points), max(r for r, _ in points)
        columns = [t for t in ticks(first, last, 6) if first <= t <= last and t == int(t)]

        def x(number_: float) -> float:
            share = 0.5 if first == last else (number_ - first) / (last - first)
            return _LEFT + 6 + share * (_WIDTH - _LEFT - _RIGHT - 12)

        def y(value: float) -> float:
            return _HEIGHT - _BOTTOM - (value - low) / (high - low) * (_HEIGHT - _TOP - _BOTTOM)

        parts = []
        for row in rows:
            parts.append(line(_LEFT, y(row), _WIDTH - _RIGHT, y(row), "grid"))
            parts.append(text(_LEFT - 6, y(row) + 4, tick(row), anchor="end"))
        for column in columns or [float(first)]:
            parts.append(text(x(column), _HEIGHT - _BOTTOM + 16, tick(column), anchor="middle"))
        middle = (_LEFT + _WIDTH - _RIGHT) / 2
        parts.append(text(middle, _HEIGHT - 3, "round", "axis", "middle"))
        if self.limit is not None:
            parts.append(line(_LEFT, y(self.limit), _WIDTH - _RIGHT, y(self.limit), "limit"))
            parts.append(text(_LEFT + 6, y(self.limit) + 14, self.limit_name, "limit-name"))
        if _coincide(self.series, (high - low) / (_HEIGHT - _TOP - _BOTTOM)):
            parts.append(text(_WIDTH - _RIGHT, _TOP - 3, "all sites alike", anchor="end"))
        for style, (name, line_points) in enumerate(self.series.items()):
            path = "M" + " L".join(f"{x(r):.1f},{y(v):.1f}" for r, v in line_points)
            if len(line_points) > 1:
                parts.append(tag("path", d=path, class_=f"line s{style % STYLES}"))
            if len(line_points) <= _MARKED_POINTS:
                parts += [
                    marker(x(r), y(v), style, f"{name}, round {r}: {number(v)}")
                    for r, v in line_points
                ]
        return picture(_WIDTH, _HEIGHT, f"{self.title} by round and site", join(parts))


def _coincide(series: Mapping[str, Sequence[tuple[int, float]]], pixel: float) -> bool:
    """Whether several lines hide each other: never more than a pixel apart."""
    by_round: dict[int, list[float]] = {}
    for points in series.values():
        for number_, value in points:
            by_round.setdefault(number_, []).append(value)
    spreads = [max(values) - min(values) for values in by_round.values() if len(values) > 1]
    return bool(spreads) and max(spreads) < pixel


def legend(names: Sequence[str]) -> Markup:
    """The lines' names with their colours and shapes."""
    return join(
        tag(
            "span",
            tag(
                "svg",
                line(0, 7, 22, 7, f"line s{style % STYLES}") + marker(11, 7, style, name, 3.4),
                viewBox="0 0 22 14",
                class_="key",
                aria_hidden="true",
            )
            + Markup(" {}").format(name),
            class_="legend-item",
        )
        for style, name in enumerate(names)
    )
