"""Planning a study's noise: both promises kept, and no more noise than they need."""

from __future__ import annotations

import pytest
from fedscan.errors import BudgetExceededError
from fedscan.privacy.accounting import epsilon
from fedscan.privacy.mechanism import SubsampledGaussian
from fedscan.privacy.planning import plan_mechanism

DELTA = 1e-5
STUDY = {"epsilon": 2.0, "delta": DELTA, "sample_rate": 0.5, "steps": 4}


def test_a_fresh_data_set_gives_the_study_all_it_asks():
    plan = plan_mechanism(**STUDY, epsilon_ceiling=8.0)
    assert (plan.sample_rate, plan.steps) == (0.5, 4)
    assert 1.95 < epsilon([plan], DELTA) <= 2.0


def test_what_the_study_spent_before_counts_in_its_own_budget():
    statistics = SubsampledGaussian(1.0, 8.0, 1)
    plan = plan_mechanism(**STUDY, in_study=[statistics])
    assert plan.noise_multiplier > plan_mechanism(**STUDY).noise_multiplier
    assert 1.95 < epsilon([statistics, plan], DELTA) <= 2.0


def test_earlier_studies_count_against_the_ceiling_only():
    earlier = SubsampledGaussian(1.0, 4.0, 1)
    roomy = plan_mechanism(**STUDY, earlier=[earlier], epsilon_ceiling=20.0)
    assert roomy == plan_mechanism(**STUDY)
    tight = plan_mechanism(**STUDY, earlier=[earlier], epsilon_ceiling=2.1)
    assert tight.noise_multiplier > roomy.noise_multiplier
    assert 2.05 < epsilon([earlier, tight], DELTA) <= 2.1
    # Composed, not added: the study has more than the difference of the epsilons.
    assert epsilon([tight], DELTA) > 2.1 - epsilon([earlier], DELTA)


def test_the_ceiling_has_its_own_delta():
    plan = plan_mechanism(**STUDY, epsilon_ceiling=2.0, ceiling_delta=1e-7)
    assert 1.95 < epsilon([plan], 1e-7) <= 2.0
    assert epsilon([plan], DELTA) < 1.9


def test_a_site_may_want_more_noise():
    assert plan_mechanism(**STUDY, min_noise_multiplier=30.0).noise_multiplier == 30.0


def test_nothing_left_is_said_with_the_numbers():
    earlier = SubsampledGaussian(1.0, 1.0, 1)
    spent = epsilon([earlier], DELTA)
    with pytest.raises(BudgetExceededError, match=f"spent epsilon {spent:.4g} of its ceiling 3"):
        plan_mechanism(**STUDY, earlier=[earlier], epsilon_ceiling=3.0)


def test_what_the_study_has_yet_to_pay_is_not_said_to_be_spent():
    earlier, once = SubsampledGaussian(1.0, 1.0, 1), SubsampledGaussian(1.0, 5.0, 1)
    spent = epsilon([earlier], DELTA)
    ceiling = spent + 1e-6
    with pytest.raises(BudgetExceededError) as refusal:
        plan_mechanism(**STUDY, earlier=[earlier], in_study=[once], epsilon_ceiling=ceiling)
    assert f"has spent epsilon {spent:.4g} of its ceiling" in refusal.value.message
    assert f"comes to {epsilon([earlier, once], DELTA):.4g} with it" in refusal.value.message
