"""What a study's terms cost a data set that nothing else was asked of, round by round."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

from ...config.study import Study
from ...privacy.joint.plan import both_epsilons, plan_joint
from ...privacy.joint.shares import JointShare
from ...privacy.planning import plan_mechanism
from ...privacy.study_costs import once_mechanisms


def implied_epsilons(study: Study) -> list[tuple[float, float]]:
    """Return both epsilons after each number of rounds, from 0 to all of them.

    The second one is that of a site's own noise, if all others work together: of a study without
    joint sums it is the same number.

    It is what a site's ledger comes to if no other study used its data and its policy asks for
    no more noise than the study: all that a coordinator can know.

    Args:
        study: A private study.

    Raises:
        BudgetExceededError: If no noise keeps the study's budget.
        PrivacyError: If its terms make no promise.
    """
    privacy, rounds, steps = study.privacy, study.federation.rounds, study.local.steps
    if privacy.sum == "joint":
        plan = plan_joint(privacy, rounds)
        return _by_round(plan.once, plan.training.with_steps(1), plan.training.own.steps, study)
    before = once_mechanisms(privacy, statistics=study.warm_up.enabled)
    mechanism = plan_mechanism(
        epsilon=privacy.epsilon,
        delta=privacy.delta,
        sample_rate=privacy.sample_rate,
        steps=rounds * steps,
        in_study=before,
    )
    one_round = replace(mechanism, steps=steps)
    once = [JointShare(one, one) for one in before]
    return _by_round(once, JointShare(one_round, one_round), rounds, study)


def _by_round(
    once: Sequence[JointShare], one_round: JointShare, rounds: int, study: Study
) -> list[tuple[float, float]]:
    steps = one_round.own.steps
    return [
        both_epsilons(
            [*once, *([one_round.with_steps(number * steps)] if number else [])],
            study.privacy.delta,
        )
        for number in range(rounds + 1)
    ]
