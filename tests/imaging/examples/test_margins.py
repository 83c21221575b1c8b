"""Black margins of pictures."""

from __future__ import annotations

import numpy as np
import pytest
from fedscan.imaging.examples.margins import without_bars, without_margins
from hypothesis import given
from hypothesis import strategies as st


def film(height: int, width: int) -> np.ndarray:
    return np.random.default_rng(0).uniform(60, 255, (height, width)).astype(np.float32)


@pytest.mark.parametrize("axis", [0, 1])
def test_bars_of_a_film_go_and_its_middle_square_stays(axis: int):
    inner = film(80, 100)
    barred = np.pad(inner, ((10, 10), (0, 0)))
    expected = inner[:, 10:90]
    if axis:
        barred, expected = barred.T, expected.T
    np.testing.assert_array_equal(without_bars(barred), expected)


def test_a_film_without_bars_or_with_one_or_much_too_long_is_left_alone():
    for picture in (film(90, 100), np.pad(film(80, 100), ((20, 0), (0, 0)))):
        np.testing.assert_array_equal(without_bars(picture), picture)
    leg = np.pad(film(100, 40), ((0, 0), (30, 30)))
    np.testing.assert_array_equal(without_bars(leg), leg)


@given(st.lists(st.integers(0, 30), min_size=4, max_size=4))
def test_what_is_not_black_is_kept_whole(margins: list[int]):
    head = film(24, 32)
    top, bottom, left, right = margins
    grains = np.random.default_rng(1).uniform(0, 5, (24 + top + bottom, 32 + left + right))
    picture = grains.astype(np.float32)
    picture[top : top + 24, left : left + 32] = head
    np.testing.assert_array_equal(without_margins(picture), head)


def test_a_picture_of_one_value_stays():
    black = np.zeros((20, 30), np.float32)
    np.testing.assert_array_equal(without_margins(black), black)
    np.testing.assert_array_equal(without_bars(black), black)
