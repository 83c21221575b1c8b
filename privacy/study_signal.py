"""What a whole study's patients can teach, by its terms: told before anything is spent."""

from __future__ import annotations

from collections.abc import Sequence

from .joint.plan import plan_joint
from .planning import plan_mechanism
from .settings import PrivacySettings
from .signal import TYPICAL_AGREEMENT, Signal, expected_signal
from .study_costs import once_mechanisms

#: Below this the noise is longer than the signal; from here on the signal is clear.
NOISE_BELOW, CLEAR_FROM = 1.0, 3.0

#: Agreement of gradients where it was not measured, by what trains (docs/results.md).
_AGREEMENTS = {"biases": 0.37, "norms": 0.4, "attention": 0.37, "all": 0.37}


def agreement_of(subset: str) -> float:
    """Return how well gradients typically agree.

    Args:
        subset: Name of what trains.
    """
    return _AGREEMENTS.get(subset, TYPICAL_AGREEMENT)


def study_signal(
    privacy: PrivacySettings,
    *,
    rounds: int,
    local_steps: int,
    statistics: bool,
    patients: Sequence[int],
    numbers: int,
    agreement: float,
) -> Signal:
    """Return the expected signal of a study for sites of these sizes.

    Args:
        privacy: The study's terms; private ones.
        rounds: Its rounds.
        local_steps: Steps of a site in a round; a joint sum takes one.
        statistics: Whether the study asks for statistics before its rounds.
        patients: Training patients of each site.
        numbers: Trained numbers.
        agreement: Length of the patients' mean clipped gradient in clip norms.

    Raises:
        BudgetExceededError: If no noise keeps the study's promise.
        PrivacyError: If a number is out of range.
    """
    steps = rounds * (1 if privacy.sum == "joint" else local_steps)
    pooled_noise = plan_mechanism(
        epsilon=privacy.epsilon,
        delta=privacy.delta,
        sample_rate=privacy.sample_rate,
        steps=steps,
        in_study=once_mechanisms(privacy, statistics=statistics),
    ).noise_multiplier
    own = plan_joint(privacy, rounds).minimum_share if privacy.sum == "joint" else pooled_noise
    return expected_signal(
        patients,
        noise=[own] * len(patients),
        pooled_noise=pooled_noise,
        sample_rate=privacy.sample_rate,
        steps=steps,
        numbers=numbers,
        agreement=agreement,
    )


def in_words(signal: Signal) -> str:
    """Say in one sentence or two what a study would learn."""
    patients, numbers = f"{signal.patients:,.0f}", f"{signal.numbers:,}"
    if signal.ratio < NOISE_BELOW:
        return (
            f"With {patients} effective patients {numbers} trained numbers are noise: the "
            f"signal is {signal.ratio:.2g} of it. About {signal.learnable:,} can be learnt "
            "at most."
        )
    if signal.ratio < CLEAR_FROM:
        return (
            f"With {patients} effective patients {numbers} trained numbers can be learnt in "
            f"part: the signal is {signal.ratio:.2g} times the noise."
        )
    return (
        f"With {patients} effective patients {numbers} trained numbers can be learnt: the "
        f"signal is {signal.ratio:.2g} times the noise."
    )
