"""Values with their intervals, one row each, beside a line for guessing."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from markupsafe import Markup

from ..measures.results import Interval
from .numbers import score, tick, ticks
from .svg import join, line, picture, room_for, tag, text

_WIDTH, _ROW, _TOP, _BOTTOM, _LEFT, _RIGHT = 440.0, 28.0, 8.0, 38.0, 92.0, 48.0


@dataclass(frozen=True, kw_only=True)
class IntervalRow:
    """One row: what was trained on, the value with its interval, the style's name."""

    name: str
    interval: Interval
    style: str


def interval_chart(rows: Sequence[IntervalRow], *, title: str, axis: str, chance: float) -> Markup:
    """Draw the rows in the order given.

    Args:
        rows: At least one.
        title: Name for screen readers.
        axis: What the values are.
        chance: The value that guessing reaches; drawn as a line.
    """
    left = room_for((row.name for row in rows), _LEFT)
    width = _WIDTH + left - _LEFT
    height = _TOP + _ROW * len(rows) + _BOTTOM
    floor = min([chance, *(row.interval.low for row in rows)])
    columns = ticks(max(0.0, floor - 0.02), 1.0, 6)
    low, high = columns[0], columns[-1]
    bottom = height - _BOTTOM

    def x(value: float) -> float:
        return left + (value - low) / (high - low) * (width - left - _RIGHT)

    parts = []
    for column in columns:
        parts.append(line(x(column), _TOP, x(column), bottom, "grid"))
        parts.append(text(x(column), bottom + 15, tick(column), anchor="middle"))
    parts.append(line(x(chance), _TOP, x(chance), bottom, "limit"))
    parts.append(text(x(chance) + 5, bottom - 4, "guessing", "limit-name"))
    parts.append(text((left + width - _RIGHT) / 2, height - 4, axis, "axis", "middle"))
    for index, row in enumerate(rows):
        y = _TOP + _ROW * (index + 0.5)
        estimate = row.interval
        sentence = (
            f"{row.name}: {score(estimate.value)}, 95 % interval "
            f"{score(estimate.low)} to {score(estimate.high)}"
        )
        parts.append(text(left - 10, y + 4, row.name, "row-name", "end"))
        parts.append(
            tag(
                "g",
                tag("title", sentence)
                + line(x(estimate.low), y, x(estimate.high), y, f"whisker {row.style}")
                + tag("circle", cx=x(estimate.value), cy=y, r=5, class_=f"dot {row.style}"),
            )
        )
        parts.append(text(width - _RIGHT + 10, y + 4, score(estimate.value), "value"))
    return picture(width, height, title, join(parts))
