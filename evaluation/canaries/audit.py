"""What guesses about planted canaries were worth: an empirical lower bound on epsilon."""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from ...privacy.auditing import epsilon_lower_bound


@dataclass(frozen=True, kw_only=True)
class Audit:
    """What an audit found.

    Attributes:
        canaries: Coins tossed.
        guesses: Coins guessed.
        correct: Guesses that were right.
        lower_bound: Epsilon below which a claim is refuted.
        confidence: Chance that the bound holds.
        delta: Its delta.
        silent: Why the audit could have shown nothing, however much the training gives away;
            empty where it could have.
    """

    canaries: int
    guesses: int
    correct: int
    lower_bound: float
    confidence: float
    delta: float
    silent: str = ""

    @property
    def most(self) -> float:
        """The bound if every guess had been right."""
        return epsilon_lower_bound(
            canaries=self.canaries,
            guesses=self.guesses,
            correct=self.guesses,
            delta=self.delta,
            confidence=self.confidence,
        )

    @classmethod
    def of(
        cls,
        scores: NDArray[np.float64],
        is_planted: NDArray[np.bool_],
        *,
        guesses: int,
        delta: float,
        confidence: float,
        silent: str = "",
    ) -> Audit:
        """Guess that the most suspicious were planted, and the least suspicious were not.

        Args:
            scores: Suspicion of each canary, ``[M]``.
            is_planted: What their coins showed, ``[M]``.
            guesses: How many are guessed, fixed before the training; an odd one is left out.
            delta: Delta of the bound.
            confidence: Chance with which the bound is to hold.
            silent: What is known to keep the scores from telling anything.
        """
        order = np.argsort(scores)
        half = guesses // 2
        correct = int(
            (~is_planted[order[:half]]).sum() + is_planted[order[len(order) - half :]].sum()
        )
        audit = cls(
            canaries=len(is_planted),
            guesses=2 * half,
            correct=correct,
            lower_bound=epsilon_lower_bound(
                canaries=len(is_planted),
                guesses=2 * half,
                correct=correct,
                delta=delta,
                confidence=confidence,
            ),
            confidence=confidence,
            delta=delta,
        )
        if not silent and np.ptp(scores) == 0:
            silent = "all canaries look exactly alike to the auditor, planted or not"
        if not silent and audit.most == 0:
            silent = f"{2 * half} guesses are too few to prove anything even if all are right"
        return replace(audit, silent=silent)
