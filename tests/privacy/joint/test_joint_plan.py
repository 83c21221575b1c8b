"""The joint plan: both promises kept, counted again by dp_accounting used on its own."""

from __future__ import annotations

import math
from collections.abc import Sequence

import pytest
from dp_accounting import GaussianDpEvent, NeighboringRelation, PoissonSampledDpEvent
from dp_accounting.pld import PLDAccountant
from fedscan.errors import PrivacyError
from fedscan.privacy.joint.plan import both_epsilons, plan_joint
from fedscan.privacy.joint.shares import JointShare, own_noise
from fedscan.privacy.mechanism import SubsampledGaussian
from fedscan.privacy.settings import PrivacySettings
from hypothesis import given
from hypothesis import strategies as st

DELTA = 1e-5


def independent_epsilon(mechanisms: Sequence[SubsampledGaussian], delta: float = DELTA) -> float:
    accountant = PLDAccountant(NeighboringRelation.ADD_OR_REMOVE_ONE)
    for one in mechanisms:
        event = GaussianDpEvent(one.noise_multiplier)
        accountant.compose(PoissonSampledDpEvent(one.sample_rate, event), one.steps)
    return float(accountant.get_epsilon(delta))


@pytest.mark.parametrize(
    ("rate", "joint", "honest", "alone_epsilon"),
    [
        # The design's table at epsilon 8 and 36 steps: sigma, and epsilon of a share alone.
        (0.25, 1.194, 2, 14.3),
        (0.25, 1.194, 3, 20.8),
        (0.4, 1.656, 4, 23.0),
        (0.5, 1.973, 5, 25.7),
        (0.5, 1.973, 10, 45.9),
    ],
)
def test_equal_shares_cost_what_the_design_says(rate, joint, honest, alone_epsilon):
    own = SubsampledGaussian(rate, joint / math.sqrt(honest), 36)
    share = JointShare.of(own, honest=honest, minimum=own.noise_multiplier)
    epsilon, alone = both_epsilons([share], DELTA)
    assert epsilon == pytest.approx(8.0, abs=0.02)
    assert alone == pytest.approx(alone_epsilon, abs=0.06)


@pytest.mark.parametrize(
    ("own", "alone_epsilon", "joint_epsilons"),
    [
        # The design's second table: q 0.25, 36 steps, at h = 2, 3, 5, 10.
        (0.935, 12, (6.8, 5.0, 3.5, 2.3)),
        (0.704, 20, (10.8, 7.7, 5.3, 3.3)),
    ],
)
def test_a_ceiling_for_a_share_alone_gives_the_designs_joint_epsilons(
    own, alone_epsilon, joint_epsilons
):
    for honest, expected in zip((2, 3, 5, 10), joint_epsilons, strict=True):
        share = JointShare.of(SubsampledGaussian(0.25, own, 36), honest=honest, minimum=own)
        epsilon, alone = both_epsilons([share], DELTA)
        assert alone == pytest.approx(alone_epsilon, abs=0.06)
        assert epsilon == pytest.approx(expected, abs=0.06)


@pytest.mark.parametrize(
    ("sites", "rounds", "composition"), [(3, 36, 0.0), (4, 12, 0.1), (10, 36, 0.0)]
)
def test_both_promises_are_kept_and_one_of_them_is_used_up(sites, rounds, composition):
    privacy = PrivacySettings(
        sum="joint",
        min_sites=sites,
        colluding_sites=1,
        statistics_share=0.1,
        composition_share=composition,
    )
    plan = plan_joint(privacy, rounds)
    shares = [*plan.once, plan.training]
    assert plan.training.own.steps == rounds + privacy.spare_attempts
    assert len(plan.once) == (3 if composition else 2)
    epsilon = independent_epsilon([share.joint for share in shares])
    alone = independent_epsilon([share.own for share in shares])
    assert (plan.epsilon, plan.collusion_epsilon) == (
        pytest.approx(epsilon, abs=5e-3),
        pytest.approx(alone, abs=5e-3),
    )
    assert epsilon <= privacy.epsilon + 1e-3
    assert alone <= privacy.collusion_epsilon + 1e-3
    assert epsilon > 0.995 * privacy.epsilon or alone > 0.995 * privacy.collusion_epsilon
    assert plan.training.joint.noise_multiplier == pytest.approx(
        math.sqrt(plan.honest) * plan.minimum_share
    )


@given(joint=st.floats(0.2, 20), alone=st.floats(0.1, 10), honest=st.integers(2, 100))
def test_no_share_is_below_either_need_and_none_is_wasted(joint, alone, honest):
    share = own_noise(joint=joint, alone=alone, honest=honest)
    assert share >= alone
    assert share * math.sqrt(honest) >= joint * (1 - 1e-15)
    assert share <= max(alone, joint / math.sqrt(honest)) + 2.1e-4


@given(
    noise=st.floats(0.3, 5),
    more=st.floats(0, 5),
    honest=st.integers(1, 50),
    steps=st.integers(1, 100),
)
def test_a_stricter_site_counts_only_what_the_others_must_add(noise, more, honest, steps):
    own = SubsampledGaussian(0.25, noise + more, steps)
    share = JointShare.of(own, honest=honest, minimum=noise)
    expected = (noise + more) ** 2 + (honest - 1) * noise**2
    assert share.joint.noise_multiplier**2 == pytest.approx(expected)
    assert share.with_steps(7).joint.steps == share.with_steps(7).own.steps == 7


def test_a_share_below_the_minimum_and_shares_that_do_not_fit_are_refused():
    own = SubsampledGaussian(0.25, 1.0, 3)
    with pytest.raises(PrivacyError, match="honest sites"):
        JointShare.of(own, honest=3, minimum=1.1)
    with pytest.raises(PrivacyError, match="another mechanism"):
        JointShare(own, SubsampledGaussian(0.25, 0.9, 3))
    with pytest.raises(PrivacyError, match="another mechanism"):
        JointShare(own, SubsampledGaussian(0.5, 2.0, 3))


@pytest.mark.parametrize(
    ("settings", "said"),
    [
        ({"min_sites": 2}, "min_sites = 3 at least"),
        ({"min_sites": 1}, "min_sites = 3 at least"),
        ({"min_sites": 4, "colluding_sites": 3}, "no two sites"),
        ({"epsilon": 30.0}, "must not be below epsilon"),
    ],
)
def test_a_joint_study_that_hides_nobody_is_refused_in_one_sentence(settings, said):
    with pytest.raises(ValueError, match=said):
        PrivacySettings(sum="joint", **settings)
    PrivacySettings(**settings)  # the same numbers mean nothing for local noise


def test_a_third_of_the_sites_may_collude_if_nothing_is_said():
    colluding = [PrivacySettings(min_sites=m).most_colluding for m in (3, 5, 6, 10, 100)]
    assert colluding == [1, 1, 2, 3, 33]
    assert PrivacySettings(min_sites=5, colluding_sites=0).honest_sites == 5
