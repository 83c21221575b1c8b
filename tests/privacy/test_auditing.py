"""The lower bound on epsilon: against exact sums, and against trainings whose epsilon is known."""

from __future__ import annotations

import math
from fractions import Fraction

import pytest
from fedscan.errors import PrivacyError
from fedscan.privacy.auditing import epsilon_lower_bound, guess_p_value
from hypothesis import given, settings
from hypothesis import strategies as st


@st.composite
def audits(draw: st.DrawFn) -> tuple[int, int, int]:
    canaries = draw(st.integers(1, 30))
    guesses = draw(st.integers(1, canaries))
    return canaries, guesses, draw(st.integers(0, guesses))


def exact(canaries: int, guesses: int, correct: int, right: Fraction, delta: Fraction) -> Fraction:
    """Theorem 5.2 with tails summed in fractions, each from its definition."""

    def tail(least: int) -> Fraction:
        return sum(
            (
                math.comb(guesses, k) * right**k * (1 - right) ** (guesses - k)
                for k in range(max(least, 0), guesses + 1)
            ),
            Fraction(0),
        )

    steepest = max(
        ((tail(correct - i) - tail(correct)) / i for i in range(1, canaries + 1)),
        default=Fraction(0),
    )
    return min(Fraction(1), tail(correct) + 2 * canaries * delta * steepest)


@settings(max_examples=60)
@given(audits(), st.integers(1, 200), st.sampled_from([0.0, 1e-6, 1e-3]))
def test_p_values_are_those_of_exact_arithmetic(
    audit: tuple[int, int, int], odds: int, delta: float
) -> None:
    canaries, guesses, correct = audit
    found = guess_p_value(
        canaries=canaries, guesses=guesses, correct=correct, epsilon=math.log(odds), delta=delta
    )
    wanted = exact(canaries, guesses, correct, Fraction(odds, odds + 1), Fraction(delta))
    assert found == pytest.approx(float(wanted), rel=1e-6, abs=1e-12)


@settings(max_examples=40)
@given(st.integers(1, 40), st.floats(0.0, 6.0), st.sampled_from([0.8, 0.95]))
def test_randomised_response_is_seldom_charged_with_too_much(
    canaries: int, epsilon: float, confidence: float
) -> None:
    # It tells each coin rightly with the most chance that its epsilon allows. The chance that
    # the bound exceeds that epsilon is summed over all outcomes.
    right = 1 / (1 + math.exp(-epsilon))
    too_much = math.fsum(
        math.comb(canaries, k) * right**k * (1 - right) ** (canaries - k)
        for k in range(canaries + 1)
        if epsilon_lower_bound(
            canaries=canaries, guesses=canaries, correct=k, delta=0.0, confidence=confidence
        )
        > epsilon + 1e-5
    )
    assert too_much <= 1 - confidence + 1e-9


@settings(max_examples=40)
@given(audits(), st.sampled_from([0.0, 1e-5]))
def test_the_bound_grows_with_success_and_shrinks_with_delta(
    audit: tuple[int, int, int], delta: float
) -> None:
    canaries, guesses, correct = audit

    def bound(right: int, at: float) -> float:
        return epsilon_lower_bound(canaries=canaries, guesses=guesses, correct=right, delta=at)

    assert bound(max(correct - 1, 0), delta) <= bound(correct, delta) + 1e-5
    assert bound(correct, 1e-3) <= bound(correct, delta) + 1e-5


def test_all_of_many_guesses_right_are_a_large_epsilon() -> None:
    # Without delta the bound solves right ** guesses = 5 %.
    right = 0.05 ** (1 / 100)
    bound = epsilon_lower_bound(canaries=100, guesses=100, correct=100, delta=0.0)
    assert bound == pytest.approx(math.log(right / (1 - right)), abs=1e-4)


@pytest.mark.parametrize(("canaries", "guesses", "correct"), [(4, 5, 1), (4, 3, 4), (4, 0, 0)])
def test_numbers_that_do_not_fit_are_refused(canaries: int, guesses: int, correct: int) -> None:
    with pytest.raises(PrivacyError, match="guesses"):
        epsilon_lower_bound(canaries=canaries, guesses=guesses, correct=correct, delta=0.0)
