"""How examiners say what they are doing."""

from __future__ import annotations

from collections.abc import Callable

#: Told what is being done and which share of the section is finished.
Progress = Callable[[str, float], None]


def no_progress(what: str, share: float) -> None:
    """Ignore progress."""
