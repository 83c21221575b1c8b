"""One of a thing is told in the singular."""

from __future__ import annotations

import pytest
from fedscan.common.counted import counted


@pytest.mark.parametrize(
    ("number", "noun", "text"),
    [
        (0, "file", "0 files"),
        (1, "file", "1 file"),
        (1, "study", "1 study"),
        (3, "study", "3 studies"),
    ],
)
def test_a_number_goes_with_its_noun(number: int, noun: str, text: str) -> None:
    assert counted(number, noun) == text
