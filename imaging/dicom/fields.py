"""Reading single header fields without trusting them: wrong types count as absent."""

from __future__ import annotations

import contextlib
import math
import re
from collections.abc import Iterator
from functools import cache
from typing import Any

from pydicom import Dataset
from pydicom.multival import MultiValue
from pydicom.sequence import Sequence
from pydicom.tag import BaseTag, Tag


@cache
def _tag(keyword: str) -> BaseTag:
    return Tag(keyword)


def raw(ds: Dataset, keyword: str) -> Any:
    """Return a field's value, or ``None`` if it is absent or cannot be decoded."""
    tag = _tag(keyword)
    if tag not in ds.keys():  # noqa: SIM118 -- asked of the data set itself, it is slow
        return None
    # pydicom decodes lazily: a damaged value raises only here, and with any type of error.
    try:
        return ds[tag].value
    except Exception:
        return None


def values(ds: Dataset, keyword: str) -> list[Any]:
    """Return a field's values as a list; empty if absent."""
    value = raw(ds, keyword)
    if value is None or value == "":
        return []
    return list(value) if isinstance(value, MultiValue | list | tuple) else [value]


def texts(ds: Dataset, keyword: str) -> list[str]:
    """Return a field's values as stripped strings."""
    return [str(value).strip() for value in values(ds, keyword)]


def first_text(ds: Dataset, keyword: str) -> str:
    """Return a field's first value as a stripped string; empty if absent."""
    return next(iter(texts(ds, keyword)), "")


def numbers(ds: Dataset, keyword: str, count: int) -> tuple[float, ...] | None:
    """Return exactly ``count`` finite numbers, or ``None``."""
    try:
        result = tuple(_decimal(value) for value in values(ds, keyword))
    except (TypeError, ValueError):
        return None
    return result if len(result) == count and all(map(math.isfinite, result)) else None


def first_number(ds: Dataset, *keywords: str) -> float | None:
    """Return the first finite number among the first values of the given fields."""
    for keyword in keywords:
        for value in values(ds, keyword)[:1]:
            with contextlib.suppress(TypeError, ValueError):
                if math.isfinite(number := _decimal(value)):
                    return number
    return None


def _decimal(value: Any) -> float:
    """Return a number; some writers put the decimal comma of their country."""
    if isinstance(value, str) and value.count(",") == 1 and "." not in value:
        value = value.replace(",", ".")
    return float(value)


def integer(ds: Dataset, keyword: str, default: int = 0) -> int:
    """Return a field as an integer; ``default`` if absent or malformed."""
    number = first_number(ds, keyword)
    return default if number is None else int(number)


def tokens(ds: Dataset, *keywords: str) -> list[str]:
    """Split text fields into lower-case words and numbers, for matching and nothing else."""
    text = " ".join(part for keyword in keywords for part in texts(ds, keyword))
    return re.findall(r"[a-z0-9]+", text.lower())


def items(ds: Dataset, keyword: str) -> Iterator[Dataset]:
    """Iterate over the items of a sequence; none if it is absent or is no sequence."""
    sequence = raw(ds, keyword)
    if isinstance(sequence, Sequence):
        yield from sequence


def code_values(ds: Dataset, keyword: str) -> Iterator[str]:
    """Iterate over the code values of a code sequence (PS3.3 section 8)."""
    for item in items(ds, keyword):
        for field in ("CodeValue", "LongCodeValue"):
            if value := first_text(item, field):
                yield value
