"""What a successful guess about planted canaries says of epsilon: a lower bound, from one run.

Each canary is planted or not by a fair coin of its own. Whoever sees the outcome of an (epsilon,
delta)-private training guesses some of the coins, and the better than chance, the larger epsilon
must be (Steinke, Nasr, Jagielski 2023, "Privacy auditing with one (1) training run", arXiv
2305.08846, theorem 5.2 and appendix D).
"""

from __future__ import annotations

import math

import numpy as np
from scipy.optimize import brentq
from scipy.stats import binom

from ..errors import PrivacyError

#: More than this no audit with a feasible number of canaries can show.
_MOST = 50.0


def guess_p_value(
    *, canaries: int, guesses: int, correct: int, epsilon: float, delta: float
) -> float:
    """Bound the chance of guessing so well against an (epsilon, delta)-private training.

    Args:
        canaries: How many coins were tossed, guessed or not.
        guesses: How many of them were guessed; fixed beforehand.
        correct: How many guesses were right.
        epsilon: The claim.
        delta: The claim's delta.

    Returns:
        An upper bound on the chance of at least ``correct`` right guesses.

    Raises:
        PrivacyError: If the numbers do not fit together.
    """
    if not 0 <= correct <= guesses <= canaries or guesses < 1:
        raise PrivacyError(
            f"{correct} of {guesses} guesses about {canaries} canaries are right.",
            hint="There must be a guess, no more guesses than canaries, and none right twice.",
        )
    if not 0 <= epsilon < math.inf or not 0 <= delta <= 1:
        raise PrivacyError(f"The claim is epsilon {epsilon!r} at delta {delta!r}.")
    # Pure differential privacy is no better than randomised response: right with this chance.
    right = 1 / (1 + math.exp(-epsilon))
    at_least = float(binom.sf(correct - 1, guesses, right))
    if correct == 0 or delta == 0:
        return min(1.0, at_least)
    # Delta can move mass from below `correct` to above it; the steepest way is the worst.
    below = binom.pmf(np.arange(correct - 1, -1, -1), guesses, right).cumsum()
    steepest = float((below / np.arange(1, correct + 1)).max())
    return min(1.0, at_least + 2 * canaries * delta * steepest)


def epsilon_lower_bound(
    *, canaries: int, guesses: int, correct: int, delta: float, confidence: float = 0.95
) -> float:
    """Return the epsilon below which the claim is refuted, with this confidence.

    Args:
        canaries: How many coins were tossed.
        guesses: How many of them were guessed; fixed beforehand.
        correct: How many guesses were right.
        delta: The claim's delta.
        confidence: Chance that the bound holds, in (0, 1).

    Returns:
        The bound; 0 if the guesses are no better than chance.

    Raises:
        PrivacyError: If the numbers do not fit together.
    """
    if not 0 < confidence < 1:
        raise PrivacyError(f"The confidence is {confidence!r}.", hint="It must be in (0, 1).")

    def excess(epsilon: float) -> float:
        p_value = guess_p_value(
            canaries=canaries, guesses=guesses, correct=correct, epsilon=epsilon, delta=delta
        )
        return p_value - (1 - confidence)

    if excess(0.0) >= 0:
        return 0.0
    if excess(_MOST) < 0:
        return _MOST
    return float(brentq(excess, 0.0, _MOST, xtol=1e-6))
