"""Numbers of things in sentences."""

from __future__ import annotations


def counted(number: int, noun: str) -> str:
    """Return a number with its noun in the singular or the plural.

    >>> counted(1, "study"), counted(2, "study"), counted(0, "file")
    ('1 study', '2 studies', '0 files')

    Args:
        number: How many.
        noun: The noun in the singular.
    """
    if number == 1:
        return f"1 {noun}"
    return f"{number} {f'{noun[:-1]}ies' if noun.endswith('y') else f'{noun}s'}"
