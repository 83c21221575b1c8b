"""How much noise keeps all of a study's steps within its budget and the data set's ceiling."""

from __future__ import annotations

import math
from collections.abc import Sequence

from ..errors import BudgetExceededError, PrivacyError
from .accounting import epsilon as spent_epsilon
from .accounting import noise_multiplier_for
from .mechanism import SubsampledGaussian


def budget_share(share: float, *, epsilon: float, delta: float) -> SubsampledGaussian:
    """Return the mechanism that runs once on all patients for a share of a budget.

    Budgets of Gaussian mechanisms compose like squares of 1 over the noise: a share of the
    budget has the noise of the whole, divided by the root of the share.

    Args:
        share: Share of the budget, in (0, 1).
        epsilon: The budget.
        delta: Chance with which the promise may fail.

    Raises:
        PrivacyError: If a number is out of range.
    """
    if not 0 < share < 1:
        raise PrivacyError(f"The share of the budget is {share!r}.", hint="It must be in (0, 1).")
    alone = noise_multiplier_for(epsilon=epsilon, delta=delta, sample_rate=1.0, steps=1)
    return SubsampledGaussian(1.0, alone / math.sqrt(share), 1)


def plan_mechanism(
    *,
    epsilon: float,
    delta: float,
    sample_rate: float,
    steps: int,
    in_study: Sequence[SubsampledGaussian] = (),
    earlier: Sequence[SubsampledGaussian] = (),
    epsilon_ceiling: float = math.inf,
    ceiling_delta: float | None = None,
    min_noise_multiplier: float = 0.0,
) -> SubsampledGaussian:
    """Calibrate one noise multiplier for all the training steps of a study.

    Two promises are kept at once: the study by itself spends at most ``epsilon`` at ``delta``,
    and everything that ever ran on the data set spends at most ``epsilon_ceiling`` at
    ``ceiling_delta``. Neither budget is split between steps: mechanisms are composed.

    Args:
        epsilon: What the study may spend, ``in_study`` included.
        delta: Chance with which the study's promise may fail.
        sample_rate: Each patient's chance to be in a step.
        steps: All training steps that the study will still run here.
        in_study: What the study has spent here before them.
        earlier: What other studies have spent on the same data set.
        epsilon_ceiling: The site's ceiling for the data set's whole life.
        ceiling_delta: Delta of the ceiling; ``delta`` if not given.
        min_noise_multiplier: Least noise that the site accepts.

    Returns:
        The steps with their noise.

    Raises:
        BudgetExceededError: If no noise, however much, keeps both promises.
        PrivacyError: If an argument is out of range.
    """
    if ceiling_delta is None:
        ceiling_delta = delta
    everything = [*earlier, *in_study]
    noise = noise_multiplier_for(
        epsilon=epsilon, delta=delta, sample_rate=sample_rate, steps=steps, already=in_study
    )
    noise = max(noise, min_noise_multiplier)
    mechanism = SubsampledGaussian(sample_rate, noise, steps)
    if spent_epsilon([*everything, mechanism], ceiling_delta) <= epsilon_ceiling:
        return mechanism
    total = spent_epsilon(everything, ceiling_delta)
    if total >= epsilon_ceiling:
        raise BudgetExceededError(
            f"The data set has spent epsilon {total:.4g} of its ceiling {epsilon_ceiling:g} at "
            f"delta {ceiling_delta:g}: nothing is left for a study.",
            hint="Only the site can raise its ceiling, and its patients bear the cost.",
        )
    noise = noise_multiplier_for(
        epsilon=epsilon_ceiling,
        delta=ceiling_delta,
        sample_rate=sample_rate,
        steps=steps,
        already=everything,
    )
    return SubsampledGaussian(sample_rate, max(noise, mechanism.noise_multiplier), steps)
