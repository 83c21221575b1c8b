"""One way in which long work says how far it is."""

from __future__ import annotations

from collections.abc import Callable

#: Called with what is being done, how much of it is done, and how much it is in all.
Progress = Callable[[str, int, int], None]


def no_progress(what: str, done: int, of: int) -> None:
    """Ignore progress."""


def part_of(progress: Progress, number: int, parts: int, *, name: str = "") -> Progress:
    """Return what one of several equal parts tells, so that the whole is told of.

    Args:
        progress: Told about the whole.
        number: Number of the part, from 0.
        parts: How many parts the whole has.
        name: Put before what the part is doing; nothing is if empty.
    """

    def tell(what: str, done: int, of: int) -> None:
        progress(f"{name}: {what}" if name else what, number * of + done, parts * of)

    return tell
