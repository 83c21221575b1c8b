"""What a ledger would come to with one more step, held against its two ceilings."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Any

from ...errors import PrivacyError
from .results import Spent


@dataclass(frozen=True, kw_only=True)
class Totals:
    """Everything that was spent, and a step that is asked for.

    Attributes:
        epsilon: Against the coordinator and the few sites that may work with it.
        ceiling: What that may come to.
        collusion_epsilon: By the site's own noise alone, against all other sites together.
        collusion_ceiling: What that may come to.
        delta: Chance with which either promise may fail.
    """

    epsilon: float
    ceiling: float
    collusion_epsilon: float
    collusion_ceiling: float
    delta: float

    @property
    def fit(self) -> bool:
        """Whether neither ceiling is passed."""
        return self.epsilon <= self.ceiling and self.collusion_epsilon <= self.collusion_ceiling

    def terms(self, *, apart: bool) -> dict[str, Any]:
        """Return them for an entry; an epsilon without bound is none.

        Args:
            apart: Whether the two have to be told apart, because joint sums were paid for.
        """
        one = {
            "delta": self.delta,
            "ceiling": self.ceiling,
            "epsilon": self.epsilon if math.isfinite(self.epsilon) else None,
        }
        if not apart:
            return one
        alone = self.collusion_epsilon
        return {
            **one,
            "collusion_epsilon": alone if math.isfinite(alone) else None,
            "collusion_ceiling": self.collusion_ceiling,
        }

    def problem(self, before: Spent) -> str:
        """Say which ceiling is passed.

        Args:
            before: What was spent before.
        """
        if not self.epsilon <= self.ceiling:
            return (
                f"This step would bring the data set to epsilon {self.epsilon:.4g}, past its "
                f"ceiling of {self.ceiling:g} at delta {self.delta:g}; {before.epsilon:.4g} is "
                "spent."
            )
        return (
            f"If all other sites worked together, this step would bring the data set to epsilon "
            f"{self.collusion_epsilon:.4g}, past its collusion_ceiling of "
            f"{self.collusion_ceiling:g} at delta {self.delta:g}; {before.collusion_epsilon:.4g} "
            "is spent."
        )


def require_promise(epsilon_ceiling: float, collusion_ceiling: float, delta: float) -> None:
    """Refuse ceilings that promise nothing.

    Args:
        epsilon_ceiling: Of everything.
        collusion_ceiling: Of everything by the site's own noise alone.
        delta: Chance with which either promise may fail.

    Raises:
        PrivacyError: If one of them is none.
    """
    if not 0 < epsilon_ceiling < math.inf:
        raise PrivacyError(
            f"epsilon_ceiling is {epsilon_ceiling!r}.", hint="It must be positive and finite."
        )
    if not epsilon_ceiling <= collusion_ceiling < math.inf:
        raise PrivacyError(
            f"collusion_ceiling is {collusion_ceiling!r}.",
            hint=f"It must be finite and not below epsilon_ceiling, {epsilon_ceiling:g}.",
        )
    if not 0 < delta < 1:
        raise PrivacyError(f"delta is {delta!r}.", hint="It must lie between 0 and 1.")
