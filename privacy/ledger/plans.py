"""A study's plan: calibrated once, and never asked for differently."""

from __future__ import annotations

from ...errors import PrivacyError
from ..mechanism import SubsampledGaussian
from .entries import Plan


def require_same_plan(
    plan: Plan,
    *,
    epsilon: float,
    delta: float,
    sample_rate: float,
    steps: int,
    min_noise_multiplier: float,
) -> SubsampledGaussian:
    """Return a plan's mechanism, if it is for what is asked now.

    Args:
        plan: The study's plan on record.
        epsilon: What the study may spend.
        delta: Its delta.
        sample_rate: Each patient's chance to be in a step.
        steps: All training steps of the study.
        min_noise_multiplier: Least noise that the site accepts.

    Raises:
        PrivacyError: If it is for another budget, rate or number of steps, or has less noise.
    """
    mechanism = plan.mechanism
    terms = (epsilon, delta, sample_rate, steps)
    plan_terms = (plan.epsilon, plan.delta, mechanism.sample_rate, mechanism.steps)
    if terms != plan_terms or mechanism.noise_multiplier < min_noise_multiplier:
        raise PrivacyError(
            f"The study was planned with (epsilon, delta, sample rate, steps) {plan_terms} "
            f"and noise {mechanism.noise_multiplier:g}, and is now asked with {terms} and "
            f"noise of at least {min_noise_multiplier:g}.",
            hint="A study's plan is fixed. Other settings are another study.",
        )
    return mechanism
