"""Horizontal bars from zero, one row each."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from markupsafe import Markup

from .numbers import number
from .svg import join, line, picture, room_for, tag, text

_WIDTH, _ROW, _LEFT, _RIGHT = 420.0, 28.0, 92.0, 62.0


@dataclass(frozen=True, kw_only=True)
class Bar:
    """One row: name, value (drawn from zero, negative ones as zero), the style's name."""

    name: str
    value: float
    style: str


def bar_chart(bars: Sequence[Bar], *, title: str) -> Markup:
    """Draw the bars in the order given; without any, an empty string."""
    if not bars:
        return Markup("")
    left = room_for((bar.name for bar in bars), _LEFT)
    width = _WIDTH + left - _LEFT
    height = _ROW * len(bars) + 4
    longest = max(bar.value for bar in bars)
    room = width - left - _RIGHT
    parts = [line(left, 2, left, height - 2, "grid")]
    for index, bar in enumerate(bars):
        y = _ROW * index + 2
        length = max(0.0, bar.value) / longest * room if longest > 0 else 0.0
        parts.append(text(left - 10, y + _ROW / 2 + 4, bar.name, "row-name", "end"))
        parts.append(
            tag(
                "rect",
                tag("title", f"{bar.name}: {number(bar.value)}"),
                x=left,
                y=y + 5,
                width=max(length, 1.5),
                height=_ROW - 10,
                rx=2,
                class_=f"bar {bar.style}",
            )
        )
        parts.append(text(left + length + 8, y + _ROW / 2 + 4, number(bar.value), "value"))
    return picture(width, height, title, join(parts))
