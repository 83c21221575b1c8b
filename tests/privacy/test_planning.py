"""Planning a study's noise: both promises kept, and no more noise than they need."""

from __future__ import annotations

import pytest
from fedscan.errors import BudgetExceededError
from fedscan.privacy.accounting import epsilon
from fedscan.privacy.mechanism import SubsampledGaussian
from fedscan.privacy.planning import plan_mechanism

DELTA = 1e-5
STUDY = {"epsilon": 4.0, "delta": DELTA, "sample_rate": 0.25, "steps": 20}


def test_a_fresh_data_set_gives_the_study_all_it_asks():
    plan = plan_mechanism(**STUDY, epsilon_ceiling=8.0)
    assert (plan.sample_rate, plan.steps) == (0.25, 20)
    assert 3.9 < epsilon([plan], DELTA) <= 4.0


def test_what_the_study_spent_before_counts_in_its_own_budget():
    statistics = SubsampledGaussian(1.0, 4.0, 1)
    plan = plan_mechanism(**STUDY, in_study=[statistics])
    assert plan.noise_multiplier > plan_mechanism(**STUDY).noise_multiplier
    assert 3.9 < epsilon([statistics, plan], DELTA) <= 4.0


def test_earlier_studies_count_against_the_ceiling_only():
    earlier = SubsampledGaussian(0.25, 1.5, 20)
    roomy = plan_mechanism(**STUDY, earlier=[earlier], epsilon_ceiling=20.0)
    assert roomy == plan_mechanism(**STUDY)
    tight = plan_mechanism(**STUDY, earlier=[earlier], epsilon_ceiling=5.5)
    assert tight.noise_multiplier > roomy.noise_multiplier
    assert 5.4 < epsilon([earlier, tight], DELTA) <= 5.5
    # Composed, not added: the study has more than the difference of the epsilons.
    assert epsilon([tight], DELTA) > 5.5 - epsilon([earlier], DELTA)


def test_the_ceiling_has_its_own_delta():
    plan = plan_mechanism(**STUDY, epsilon_ceiling=4.0, ceiling_delta=1e-7)
    assert 3.9 < epsilon([plan], 1e-7) <= 4.0
    assert epsilon([plan], DELTA) < 3.9


def test_a_site_may_want_more_noise():
    assert plan_mechanism(**STUDY, min_noise_multiplier=30.0).noise_multiplier == 30.0


def test_nothing_left_is_said_with_the_numbers():
    earlier = SubsampledGaussian(0.25, 1.0, 20)
    spent = epsilon([earlier], DELTA)
    with pytest.raises(BudgetExceededError, match=f"spent epsilon {spent:.4g} of its ceiling 3"):
        plan_mechanism(**STUDY, earlier=[earlier], epsilon_ceiling=3.0)
