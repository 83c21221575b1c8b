"""What rounding lost is found again by the round that follows, whatever was repeated between."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from fedscan.client.answers.error_feedback import ErrorFeedback
from fedscan.errors import DataError


def lost(value: float) -> np.ndarray:
    return np.full(5, value, np.float32)


def first_number(feedback: ErrorFeedback, number: int) -> float | None:
    found = feedback.before(number)
    return None if found is None else float(found[0])


def test_a_round_starts_from_what_the_last_one_lost(tmp_path: Path) -> None:
    feedback = ErrorFeedback(tmp_path / "study")
    assert feedback.before(1) is None
    for number in (1, 2, 4):
        feedback.keep(number, lost(number))
    starts = [first_number(ErrorFeedback(tmp_path / "study"), n) for n in range(1, 7)]
    assert starts == [None, 1, 2, 2, 4, 4]


def test_a_repeated_round_changes_nothing(tmp_path: Path) -> None:
    feedback = ErrorFeedback(tmp_path)
    for number in (1, 2, 3, 1):
        feedback.keep(number, lost(number))
    assert first_number(feedback, 4) == 3


def test_a_round_that_comes_out_differently_begins_another_future(tmp_path: Path) -> None:
    feedback = ErrorFeedback(tmp_path)
    for number in (1, 2, 3):
        feedback.keep(number, lost(number))
    feedback.keep(2, lost(20))
    assert first_number(feedback, 4) == 20


def test_as_many_rounds_are_kept_as_can_be_repeated(tmp_path: Path) -> None:
    feedback = ErrorFeedback(tmp_path)
    for number in range(1, 21):
        feedback.keep(number, lost(number))
    assert len(list(tmp_path.iterdir())) == 5
    assert first_number(feedback, 17) == 16


def test_a_damaged_file_is_named(tmp_path: Path) -> None:
    feedback = ErrorFeedback(tmp_path)
    feedback.keep(1, lost(1))
    (file,) = tmp_path.iterdir()
    file.write_bytes(file.read_bytes()[:-3])
    with pytest.raises(DataError, match=r"round-0000001.*damaged.*Delete"):
        feedback.before(2)
