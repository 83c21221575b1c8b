"""Small pieces of inline SVG. Every text and attribute is escaped; colours are CSS classes."""

from __future__ import annotations

from collections.abc import Iterable

from markupsafe import Markup

#: Number of series styles (``s0`` … ``s7``) that the style sheet defines.
STYLES = 8
#: Width in user units that one letter of a row's name takes, at most on average.
_PER_LETTER = 7.5


def tag(name: str, content: str | Markup = "", /, **attributes: str | float) -> Markup:
    """Make an element; ``class_`` and ``text_anchor`` become ``class`` and ``text-anchor``."""
    attribute_text = Markup("").join(
        Markup(' {}="{}"').format(key.rstrip("_").replace("_", "-"), coordinate(value))
        for key, value in attributes.items()
    )
    return Markup("<{}{}>{}</{}>").format(name, attribute_text, content, name)


def coordinate(value: str | float) -> str:
    """Write a coordinate with at most one decimal."""
    return value if isinstance(value, str) else f"{value:.1f}".removesuffix(".0")


def join(parts: Iterable[Markup]) -> Markup:
    """Put elements one after another."""
    return Markup("").join(parts)


def room_for(names: Iterable[str], least: float) -> float:
    """Return the room in user units that the longest of names takes beside a chart.

    Args:
        names: What stands there.
        least: The room that there is in any case.
    """
    return max(least, *(_PER_LETTER * len(name) + 20 for name in names))


def picture(width: float, height: float, label: str, content: Markup) -> Markup:
    """Wrap elements as a picture that scales with its column and has a name for readers."""
    return tag(
        "svg",
        content,
        viewBox=f"0 0 {coordinate(width)} {coordinate(height)}",
        role="img",
        aria_label=label,
        class_="chart",
    )


def line(x1: float, y1: float, x2: float, y2: float, class_: str) -> Markup:
    """A straight line."""
    return tag("line", x1=x1, y1=y1, x2=x2, y2=y2, class_=class_)


def text(x: float, y: float, words: str, class_: str = "tick", anchor: str = "start") -> Markup:
    """A line of text."""
    return tag("text", words, x=x, y=y, class_=class_, text_anchor=anchor)


def marker(x: float, y: float, style: int, title: str, radius: float = 2.8) -> Markup:
    """A data point: the shape differs by style, for readers who do not see the colours."""
    class_ = f"mark s{style % STYLES}"
    name = tag("title", title)
    if style % 4 == 0:
        return tag("circle", name, cx=x, cy=y, r=radius, class_=class_)
    if style % 4 == 1:
        side = radius * 1.8
        return tag(
            "rect", name, x=x - side / 2, y=y - side / 2, width=side, height=side, class_=class_
        )
    reach = radius * 1.35
    corners = (
        [(0.0, -reach), (reach, 0.0), (0.0, reach), (-reach, 0.0)]
        if style % 4 == 2
        else [(0.0, -reach), (reach, reach * 0.8), (-reach, reach * 0.8)]
    )
    points = " ".join(f"{coordinate(x + dx)},{coordinate(y + dy)}" for dx, dy in corners)
    return tag("polygon", name, points=points, class_=class_)
