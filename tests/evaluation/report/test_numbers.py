import math

import pytest
from fedscan.evaluation.report.numbers import (
    duration,
    exact,
    number,
    percent,
    score,
    size,
    tick,
    ticks,
)
from hypothesis import assume, given
from hypothesis import strategies as st


def read(text):
    """Read a number that was written for people."""
    plain = text.replace("\u202f", "").replace("−", "-")
    if "10" in plain and any(mark in plain for mark in "⁻⁰¹²³⁴⁵⁶⁷⁸⁹"):
        factor, _, power = plain.rpartition("10")
        digits = power.translate(str.maketrans("⁻⁰¹²³⁴⁵⁶⁷⁸⁹", "-0123456789"))
        return float(factor.rstrip("·") or 1) * 10.0 ** int(digits)
    return float(plain)


@given(st.floats(-1e30, 1e30).filter(lambda value: value == 0 or abs(value) > 1e-30))
def test_three_digits_are_kept(value):
    assert read(number(value)) == pytest.approx(value, rel=5.1e-3)


@pytest.mark.parametrize(
    ("value", "text"),
    [
        (None, "–"),
        (0.0, "0"),
        (8.0, "8"),
        (7.9849, "7.98"),
        (0.89, "0.890"),
        (1234567, "1\u202f234\u202f567"),
        (-0.01234, "−0.0123"),
        (1e-5, "10⁻⁵"),
        (2.5e-7, "2.5·10⁻⁷"),
        (9.9996, "10.0"),
    ],
)
def test_numbers_for_people(value, text):
    assert number(value) == text


def test_other_units():
    assert [score(value) for value in (1.0, 0.0, 0.99821, 0.5)] == [
        "1.00",
        "0.00",
        "0.998",
        "0.500",
    ]
    assert [percent(share) for share in (0.0512, 0.5, 0.998, 0.99996, 1.07, -0.2)] == [
        "5.1 %",
        "50 %",
        "99.8 %",
        "100 %",
        "107 %",
        "−20.0 %",
    ]
    assert [duration(seconds) for seconds in (4.21, 600, 7200)] == ["4.21 s", "10 min", "2 h"]
    assert [size(count) for count in (12, 2_400_000, 3_000)] == ["12 B", "2.40 MB", "3 kB"]
    assert [exact(value) for value in (True, 0.1, 3, "", "x")] == [
        "true",
        "0.1",
        "3",
        "(empty)",
        "x",
    ]


@given(low=st.floats(-1e6, 1e6), span=st.floats(1e-3, 1e6), count=st.integers(2, 8))
def test_ticks_cover_the_range_with_even_round_steps(low, span, count):
    high = low + span
    assume(high > low and span > 1e-9 * abs(low))
    marks = ticks(low, high, count)
    step = marks[1] - marks[0]
    assert marks[0] <= low + step * 1e-6
    assert marks[-1] >= high - step * 1e-6
    assert 2 <= len(marks) <= count + 2
    mantissa = step / 10 ** math.floor(math.log10(step) + 1e-9)
    assert min(abs(mantissa - wanted) for wanted in (1, 2, 5, 10)) < 1e-3


def test_ticks_of_a_single_value():
    assert ticks(3.0, 3.0)[0] < 3 < ticks(3.0, 3.0)[-1]
    assert ticks(0.0, 0.0)[0] < 0 < ticks(0.0, 0.0)[-1]
    assert [tick(value) for value in (0.2, 1.0, -5.0, 20000.0)] == ["0.2", "1", "−5", "20\u202f000"]
