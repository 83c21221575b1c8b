"""A joint study's noise: what every site must add at least, and what is promised with it.

Everything here follows from the study's terms alone, so each site computes the same minimum and
counts only on noise that the terms oblige the others to add.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass, replace
from functools import lru_cache
from typing import Any

from ...errors import BudgetExceededError
from ..accounting import epsilon as spent_epsilon
from ..accounting import noise_multiplier_for
from ..mechanism import SubsampledGaussian
from ..planning import budget_share, plan_mechanism
from ..settings import PrivacySettings
from ..study_costs import count_mechanism
from .shares import JointShare, own_noise


@dataclass(frozen=True, kw_only=True)
class JointPlan:
    """The least noise of every site of a study, and both promises.

    Attributes:
        honest: Sites that each patient's promise counts on, its own included.
        count: Share of the sum of the numbers of patients.
        statistics: Share of the warm-up's sums; ``None`` if the study sets nothing aside for them.
        composition: Share of the data card's sums; ``None`` likewise.
        training: Share of all training steps, spare attempts included.
        epsilon: Promise against the coordinator and the sites that may work with it.
        collusion_epsilon: Promise if all other sites work with it, or the cryptography falls.
    """

    honest: int
    count: JointShare
    statistics: JointShare | None
    composition: JointShare | None
    training: JointShare
    epsilon: float
    collusion_epsilon: float

    @property
    def once(self) -> tuple[JointShare, ...]:
        """What is paid for once, before the training, in the order in which it is paid."""
        parts = (self.statistics, self.count, self.composition)
        return tuple(part for part in parts if part is not None)

    @property
    def minimum_share(self) -> float:
        """Noise multiplier that every site adds at least in a training step."""
        return self.training.own.noise_multiplier

    def share(self, *, joint: float, alone: float) -> JointShare:
        """Return the share in all training steps of a site that may need more than the minimum.

        Args:
            joint: Noise multiplier that its patients need in the sum that is seen.
            alone: Noise multiplier that they need in the site's own part.
        """
        others = (self.honest - 1) * self.minimum_share**2
        least = max(math.sqrt(max(0.0, joint**2 - others)), alone, self.minimum_share)
        noise = own_noise(joint=0.0, alone=least, honest=1)
        own = replace(self.training.own, noise_multiplier=noise)
        return JointShare.of(own, honest=self.honest, minimum=self.minimum_share)


@lru_cache(maxsize=16)
def plan_joint(privacy: PrivacySettings, rounds: int) -> JointPlan:
    """Return the least noise with which a joint study keeps both of its promises.

    Args:
        privacy: The study's terms; private and joint ones.
        rounds: Its rounds, of one step each; its spare attempts come on top.

    Raises:
        BudgetExceededError: If no amount of noise keeps them.
        PrivacyError: If a number is out of range.
    """
    honest = privacy.honest_sites

    def once(joint: SubsampledGaussian, alone: SubsampledGaussian) -> JointShare:
        noise = own_noise(joint=joint.noise_multiplier, alone=alone.noise_multiplier, honest=honest)
        return JointShare.of(SubsampledGaussian(1.0, noise, 1), honest=honest, minimum=noise)

    def share_of_budget(share: float) -> JointShare | None:
        if not share:
            return None
        joint, alone = (
            budget_share(share, epsilon=epsilon, delta=privacy.delta)
            for epsilon in (privacy.epsilon, privacy.collusion_epsilon)
        )
        return once(joint, alone)

    count = once(count_mechanism(privacy.epsilon), count_mechanism(privacy.collusion_epsilon))
    statistics = share_of_budget(privacy.statistics_share)
    composition = share_of_budget(privacy.composition_share)
    parts = [part for part in (statistics, count, composition) if part is not None]
    steps = rounds + privacy.spare_attempts
    joint, alone = (
        noise_multiplier_for(
            epsilon=epsilon,
            delta=privacy.delta,
            sample_rate=privacy.sample_rate,
            steps=steps,
            already=already,
        )
        for epsilon, already in (
            (privacy.epsilon, [part.joint for part in parts]),
            (privacy.collusion_epsilon, [part.own for part in parts]),
        )
    )
    noise = own_noise(joint=joint, alone=alone, honest=honest)
    own = SubsampledGaussian(privacy.sample_rate, noise, steps)
    training = JointShare.of(own, honest=honest, minimum=noise)
    epsilon, collusion_epsilon = both_epsilons([*parts, training], privacy.delta)
    return JointPlan(
        honest=honest,
        count=count,
        statistics=statistics,
        composition=composition,
        training=training,
        epsilon=epsilon,
        collusion_epsilon=collusion_epsilon,
    )


def site_share(
    privacy: PrivacySettings,
    rounds: int,
    *,
    in_study: Sequence[JointShare],
    earlier: Sequence[JointShare],
    epsilon_ceiling: float,
    collusion_ceiling: float,
    ceiling_delta: float,
    min_noise_multiplier: float = 0.0,
) -> JointShare:
    """Return one site's share in all training steps: the terms' minimum, or more if it needs more.

    Args:
        privacy: The study's terms; private and joint ones.
        rounds: Its rounds.
        in_study: What the study has spent here before its training.
        earlier: What other studies have spent on the same data set.
        epsilon_ceiling: The site's ceiling for the data set's whole life.
        collusion_ceiling: Its ceiling by its own noise alone.
        ceiling_delta: Delta of both ceilings.
        min_noise_multiplier: Least noise that the site accepts to add.

    Raises:
        BudgetExceededError: If no noise keeps both promises.
        PrivacyError: If a number is out of range.
    """
    terms = plan_joint(privacy, rounds)
    least = terms.training.own
    joint = plan_mechanism(
        epsilon=privacy.epsilon,
        delta=privacy.delta,
        sample_rate=least.sample_rate,
        steps=least.steps,
        in_study=[share.joint for share in in_study],
        earlier=[share.joint for share in earlier],
        epsilon_ceiling=epsilon_ceiling,
        ceiling_delta=ceiling_delta,
    )
    alone = plan_alone(
        epsilon=privacy.collusion_epsilon,
        delta=privacy.delta,
        sample_rate=least.sample_rate,
        steps=least.steps,
        in_study=[share.own for share in in_study],
        earlier=[share.own for share in earlier],
        epsilon_ceiling=collusion_ceiling,
        ceiling_delta=ceiling_delta,
        min_noise_multiplier=min_noise_multiplier,
    )
    return terms.share(joint=joint.noise_multiplier, alone=alone.noise_multiplier)


def plan_alone(**terms: Any) -> SubsampledGaussian:
    """Plan as :func:`~fedscan.privacy.planning.plan_mechanism` by a site's own noise alone.

    Raises:
        BudgetExceededError: If no noise keeps the promise; says which one it is.
    """
    try:
        return plan_mechanism(**terms)
    except BudgetExceededError as error:
        raise BudgetExceededError(
            f"If all other sites worked together: {error.message}", hint=error.hint
        ) from None


def both_epsilons(shares: Sequence[JointShare], delta: float) -> tuple[float, float]:
    """Return what shares spend together: against the few, and against everybody else.

    Args:
        shares: In any order.
        delta: Chance with which either promise may fail.
    """
    return (
        spent_epsilon([share.joint for share in shares], delta),
        spent_epsilon([share.own for share in shares], delta),
    )
