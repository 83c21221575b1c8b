"""What a study's terms cost a data set that nothing else was asked of, round by round."""

from __future__ import annotations

from dataclasses import replace

from ...config.study import Study
from ...privacy.accounting import epsilon
from ...privacy.planning import plan_mechanism
from ...privacy.study_costs import once_mechanisms


def implied_epsilons(study: Study) -> list[float]:
    """Return the epsilon after each number of rounds, from 0 to all of them.

    It is what a site's ledger comes to if no other study used its data and its policy asks for
    no more noise than the study: all that a coordinator can know.

    Args:
        study: A private study.

    Raises:
        BudgetExceededError: If no noise keeps the study's budget.
        PrivacyError: If its terms make no promise.
    """
    privacy, rounds, steps = study.privacy, study.federation.rounds, study.local.steps
    before = once_mechanisms(privacy, statistics=study.warm_up.enabled)
    mechanism = plan_mechanism(
        epsilon=privacy.epsilon,
        delta=privacy.delta,
        sample_rate=privacy.sample_rate,
        steps=rounds * steps,
        in_study=before,
    )
    epsilons = [epsilon(before, privacy.delta)]
    for number in range(1, rounds + 1):
        training = replace(mechanism, steps=number * steps)
        epsilons.append(epsilon([*before, training], privacy.delta))
    return epsilons
