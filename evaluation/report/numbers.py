"""Numbers as people read them, and round tick marks for axes."""

from __future__ import annotations

import math


def number(value: float | int | None, digits: int = 3) -> str:
    """Write a number with ``digits`` significant digits; an en dash for a missing one."""
    if value is None:
        return "–"
    if isinstance(value, int) or (float(value).is_integer() and abs(value) < 1e6):
        return f"{int(value):,}".replace(",", "\u202f").replace("-", "−")
    # The exponent of the rounded value: 9.9996 is written like 10.
    mantissa, exponent = f"{value:.{digits - 1}e}".split("e")
    size = int(exponent)
    if not -4 <= size < 6:
        factor = "" if float(mantissa) == 1 else f"{mantissa.rstrip('0').rstrip('.')}·"
        return f"{factor}10{_superscript(size)}".replace("-", "−")
    decimals = max(0, digits - 1 - size)
    nearest = round(value, digits - 1 - size)
    return f"{nearest:,.{decimals}f}".replace(",", "\u202f").replace("-", "−")


def score(value: float) -> str:
    """Write a score between about 0 and 1: like :func:`number`, but 1 is 1.00 beside 0.998."""
    return f"{value:.2f}" if float(value).is_integer() else number(value)


def exact(value: bool | int | float | str | tuple[str, ...] | tuple[int, ...]) -> str:
    """Write a setting as it is in the configuration file."""
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, tuple):
        return "; ".join(map(str, value)) or "(none)"
    if value == "":
        return "(empty)"
    return repr(value) if isinstance(value, float) else str(value)


def percent(share: float) -> str:
    """Write a share as per cent, with a decimal below 10 and just below 100."""
    value = share * 100
    decimals = 0 if 10 <= value < 99 or value >= 99.95 else 1
    return f"{value:.{decimals}f} %".replace("-", "−")


def tick(value: float) -> str:
    """Write a tick mark's number, which is round, without trailing zeros."""
    return f"{value:,.6g}".replace(",", "\u202f").replace("-", "−")


def duration(seconds: float) -> str:
    """Write seconds as s, min or h."""
    if seconds < 120:
        return f"{number(seconds)} s"
    if seconds < 7200:
        return f"{number(seconds / 60)} min"
    return f"{number(seconds / 3600)} h"


def size(count: int) -> str:
    """Write bytes as kB, MB or GB."""
    for unit, factor in (("GB", 1e9), ("MB", 1e6), ("kB", 1e3)):
        if count >= factor:
            return f"{number(count / factor)} {unit}"
    return f"{count} B"


def ticks(low: float, high: float, count: int = 5) -> list[float]:
    """Round tick positions that cover ``[low, high]``, about ``count`` of them.

    The first is at most ``low`` and the last at least ``high``; steps are 1, 2 or 5 times a
    power of ten.
    """
    if not high > low:
        margin = abs(low) * 0.5 or 1.0
        low, high = low - margin, high + margin
    raw = (high - low) / max(count - 1, 1)
    power = 10.0 ** math.floor(math.log10(raw))
    step = next(factor * power for factor in (1.0, 2.0, 5.0, 10.0) if factor * power >= raw * 0.999)
    first, last = math.floor(low / step + 1e-9), math.ceil(high / step - 1e-9)
    return [round(index * step, 12) for index in range(first, last + 1)]


def _superscript(value: int) -> str:
    return str(value).translate(str.maketrans("-0123456789", "⁻⁰¹²³⁴⁵⁶⁷⁸⁹"))
