"""The plan of a joint study's noise, by its terms and by what a data set has left."""

from __future__ import annotations

import pytest
from fedscan.errors import BudgetExceededError, PrivacyError
from fedscan.privacy.joint.plan import plan_joint
from fedscan.privacy.joint.shares import JointShare
from fedscan.privacy.mechanism import SubsampledGaussian
from fedscan.privacy.settings import PrivacySettings
from joint_ledgers import digest, open_ledger, pay

TERMS = PrivacySettings(
    sum="joint", epsilon=2.0, collusion_epsilon=3.0, sample_rate=0.5, spare_attempts=1
)


def test_the_plan_is_the_terms_own_where_the_data_set_is_fresh(tmp_path):
    terms = plan_joint(TERMS, 3)
    with open_ledger(tmp_path) as ledger:
        ledger.reserve(
            digest(1),
            [share.own for share in terms.once],
            joint=[share.joint for share in terms.once],
            purpose="statistics",
            study=digest(0),
        )
        share = ledger.plan_joint(digest(0), TERMS, 3)
        assert share == terms.training
        for number in range(2, 6):
            pay(ledger, number, share.with_steps(1))
        spent = ledger.spent(digest(0))
        assert spent.epsilon <= TERMS.epsilon
        assert spent.collusion_epsilon <= TERMS.collusion_epsilon
        before = ledger.head()
        assert ledger.plan_joint(digest(0), TERMS, 3) == share
        assert ledger.head() == before
        with pytest.raises(PrivacyError, match="plan is fixed"):
            ledger.plan_joint(digest(0), TERMS, 4)
        with pytest.raises(PrivacyError, match="plan is fixed"):
            ledger.plan_joint(digest(0), TERMS, 3, min_noise_multiplier=9.0)


@pytest.mark.parametrize(("ceiling", "collusion"), [(1.5, 20.0), (8.0, 8.0)])
def test_a_data_set_with_less_left_adds_more_noise(tmp_path, ceiling, collusion):
    used = JointShare.of(SubsampledGaussian(1.0, 0.64, 1), honest=16, minimum=0.64)
    if ceiling < 2:
        used = JointShare.of(SubsampledGaussian(1.0, 4.0, 1), honest=1, minimum=4.0)
    with open_ledger(tmp_path, ceiling, collusion) as ledger:
        ledger.reserve(digest(1), [used.own], joint=[used.joint], purpose="before")
        share = ledger.plan_joint(digest(0), TERMS, 3)
        assert share.own.noise_multiplier > plan_joint(TERMS, 3).minimum_share
        for number in range(2, 6):
            pay(ledger, number, share.with_steps(1))
        assert ledger.spent().epsilon <= ceiling
        assert ledger.spent().collusion_epsilon <= collusion


def test_a_data_set_with_nothing_left_for_collusion_plans_nothing(tmp_path):
    used = JointShare.of(SubsampledGaussian(1.0, 0.7, 1), honest=100, minimum=0.7)
    with open_ledger(tmp_path) as ledger:
        ledger.reserve(digest(1), [used.own], joint=[used.joint], purpose="before")
    with open_ledger(tmp_path, 5.0, 6.0) as ledger:
        assert ledger.spent().epsilon < 1.0
        with pytest.raises(BudgetExceededError, match="If all other sites worked together"):
            ledger.plan_joint(digest(0), TERMS, 3)
        assert len(ledger.entries()) == 2


def test_the_site_s_own_least_noise_holds_for_its_share(tmp_path):
    with open_ledger(tmp_path) as ledger:
        share = ledger.plan_joint(digest(0), TERMS, 3, min_noise_multiplier=5.0)
        assert share.own.noise_multiplier == 5.0


def test_a_local_plan_leaves_room_under_the_ceiling_of_collusion(tmp_path):
    with open_ledger(tmp_path, 8.0, 8.0) as ledger:
        used = JointShare.of(SubsampledGaussian(1.0, 0.9, 1), honest=16, minimum=0.9)
        ledger.reserve(digest(1), [used.own], joint=[used.joint], purpose="before")
        plan = ledger.plan(digest(5), epsilon=6.0, sample_rate=0.5, steps=4)
        ledger.reserve(digest(2), [plan], purpose="round", study=digest(5))
        spent = ledger.spent()
        assert spent.epsilon < 8.0
        assert 7.9 < spent.collusion_epsilon <= 8.0
