"""Numbers that a request must keep to: the same for Python as for the commands."""

from __future__ import annotations

import math

from ..errors import ConfigurationError


def require_within(name: str, value: float, low: float, high: float = math.inf) -> None:
    """Refuse a number out of range.

    Raises:
        ConfigurationError: If it is below ``low``, above ``high``, infinite or no number.
    """
    if not (low <= value <= high and math.isfinite(value)):
        bounds = f"at least {low:g}" if high == math.inf else f"from {low:g} to {high:g}"
        raise ConfigurationError(f"{name} is {value!r}.", hint=f"It must be {bounds}.")
