"""A study's plan: calibrated once, and never asked for differently."""

from __future__ import annotations

from ...errors import PrivacyError
from ..joint.plan import plan_alone, site_share
from ..joint.shares import JointShare
from ..mechanism import SubsampledGaussian
from ..planning import plan_mechanism
from ..settings import PrivacySettings
from .account import Account
from .entries import Plan, make


class PlanningAccount(Account):
    """An open ledger that keeps one plan for each study."""

    def plan(
        self,
        study: str,
        *,
        epsilon: float,
        sample_rate: float,
        steps: int,
        delta: float | None = None,
        min_noise_multiplier: float = 0.0,
    ) -> SubsampledGaussian:
        """Return the noise for all training steps of a study, calibrated once and kept.

        The first call calibrates it for the study's epsilon and for what is left under the
        ceiling (:func:`~fedscan.privacy.planning.plan_mechanism`) and records it, so that every
        later round, restart and release of the software trains with the same noise. A plan
        reserves nothing.

        Args:
            study: Digest of the study.
            epsilon: What the study may spend here, its earlier reservations included.
            sample_rate: Each patient's chance to be in a step.
            steps: All training steps of the study.
            delta: The study's delta; the ledger's if not given.
            min_noise_multiplier: Least noise that the site accepts.

        Raises:
            BudgetExceededError: If no noise keeps both promises.
            LedgerError: If the disk did not take it.
            PrivacyError: If the study has a plan for another budget, rate or number of steps.
        """
        delta = self._delta if delta is None else float(delta)
        with self._mutex:
            self._files.require_open()
            plan = self._files.book.plans.get(study)
            if plan is None:
                book = self._files.book
                mechanism = plan_mechanism(
                    epsilon=epsilon,
                    delta=delta,
                    sample_rate=sample_rate,
                    steps=steps,
                    in_study=book.mechanisms(study),
                    earlier=book.mechanisms(other_than=study),
                    epsilon_ceiling=self._ceiling,
                    ceiling_delta=self._delta,
                    min_noise_multiplier=min_noise_multiplier,
                )
                if book.has_joint:
                    mechanism = plan_alone(
                        epsilon=epsilon,
                        delta=delta,
                        sample_rate=sample_rate,
                        steps=steps,
                        in_study=book.own_mechanisms(study),
                        earlier=book.own_mechanisms(other_than=study),
                        epsilon_ceiling=self._collusion_ceiling,
                        ceiling_delta=self._delta,
                        min_noise_multiplier=mechanism.noise_multiplier,
                    )
                plan = make(
                    Plan, study=study, epsilon=float(epsilon), delta=delta, mechanism=mechanism
                )
                self._files.append(plan)
            return require_same_plan(
                plan,
                epsilon=epsilon,
                delta=delta,
                sample_rate=sample_rate,
                steps=steps,
                min_noise_multiplier=min_noise_multiplier,
            )

    def plan_joint(
        self,
        study: str,
        privacy: PrivacySettings,
        rounds: int,
        *,
        min_noise_multiplier: float = 0.0,
    ) -> JointShare:
        """Return this site's share of the noise in all training steps of a joint study.

        It is the share that the study's terms ask of every site
        (:func:`~fedscan.privacy.joint.plan.plan_joint`), or more where this data set has less
        left under one of its ceilings. It is calibrated once, recorded and kept.

        Args:
            study: Digest of the study.
            privacy: Its terms; private and joint ones.
            rounds: Its rounds, of one step each.
            min_noise_multiplier: Least noise that the site accepts.

        Raises:
            BudgetExceededError: If no noise keeps both promises.
            LedgerError: If the disk did not take it.
            PrivacyError: If the study has a plan for another budget, rate or number of steps.
        """
        with self._mutex:
            self._files.require_open()
            plan = self._files.book.plans.get(study)
            if plan is None:
                share = site_share(
                    privacy,
                    rounds,
                    in_study=self._files.book.shares(study),
                    earlier=self._files.book.shares(other_than=study),
                    epsilon_ceiling=self._ceiling,
                    collusion_ceiling=self._collusion_ceiling,
                    ceiling_delta=self._delta,
                    min_noise_multiplier=min_noise_multiplier,
                )
                plan = make(
                    Plan,
                    study=study,
                    epsilon=privacy.epsilon,
                    delta=privacy.delta,
                    mechanism=share.own,
                    joint=share.joint,
                )
                self._files.append(plan)
            own = require_same_plan(
                plan,
                epsilon=privacy.epsilon,
                delta=privacy.delta,
                sample_rate=privacy.sample_rate,
                steps=rounds + privacy.spare_attempts,
                min_noise_multiplier=min_noise_multiplier,
            )
            if plan.joint is None:
                raise PrivacyError("The study was planned with local noise.")
            return JointShare(own, plan.joint)


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
