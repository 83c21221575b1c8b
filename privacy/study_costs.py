"""What a study pays for once at a site, beside its training steps.

The one place that knows it: a site takes these mechanisms from its ledger, its steward is told
of them beforehand, and the coordinator's dashboard counts them. All three agree because all
three ask here.
"""

from __future__ import annotations

from ..errors import PrivacyError
from .mechanism import SubsampledGaussian
from .planning import budget_share
from .settings import PrivacySettings


def once_mechanisms(
    privacy: PrivacySettings, *, statistics: bool
) -> tuple[SubsampledGaussian, ...]:
    """Return all that a study pays for once at a site, in the order in which it is paid.

    Args:
        privacy: The study's terms; private ones.
        statistics: Whether the coordinator asks for statistics. A study may set a share aside
            for them and never ask, as with ``warm_up.enabled=false``.

    Raises:
        PrivacyError: If statistics are asked for and nothing is set aside for them: no site
            answers such a study.
    """
    statistics_part = (statistics_mechanism(privacy),) if statistics else ()
    composition_part = (composition_mechanism(privacy),) if privacy.composition_share else ()
    return (*statistics_part, count_mechanism(privacy.epsilon), *composition_part)


def count_mechanism(epsilon: float) -> SubsampledGaussian:
    """Return what the number of patients costs: noise of 5 at epsilon 8, and in proportion.

    A Gaussian mechanism's budget goes with the square of 1 over its noise, and the square of
    what epsilon 8 at delta 1e-5 allows in all is about 2.5: 1 / 5**2 is 1.6 % of it.

    Args:
        epsilon: Of the study.
    """
    return SubsampledGaussian(1.0, max(1.0, 40.0 / epsilon), 1)


def statistics_mechanism(privacy: PrivacySettings) -> SubsampledGaussian:
    """Return the mechanism that takes the statistics' share of a study's budget.

    Raises:
        PrivacyError: If the study has no private statistics.
    """
    if not privacy.enabled or not privacy.statistics_share:
        raise PrivacyError(
            "The study asks for statistics without setting a budget aside for them.",
            hint="Set privacy.statistics_share above 0, or warm_up.enabled=false.",
        )
    return budget_share(privacy.statistics_share, epsilon=privacy.epsilon, delta=privacy.delta)


def composition_mechanism(privacy: PrivacySettings) -> SubsampledGaussian:
    """Return the mechanism that takes the composition's share of a study's budget.

    Raises:
        PrivacyError: If the study sets nothing aside for it.
    """
    if not privacy.enabled or not privacy.composition_share:
        raise PrivacyError(
            "The study asks for a composition without setting a budget aside for it.",
            hint="Set privacy.composition_share above 0.",
        )
    return budget_share(privacy.composition_share, epsilon=privacy.epsilon, delta=privacy.delta)
