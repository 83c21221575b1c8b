"""Joint sums in the ledger: counted twice, below two ceilings, and answered for one roster."""

from __future__ import annotations

from dataclasses import replace

import pytest
from fedscan.errors import BudgetExceededError, ChangedResultError, PrivacyError
from fedscan.privacy.accounting import epsilon
from fedscan.privacy.joint.shares import JointShare
from fedscan.privacy.ledger import Ledger
from fedscan.privacy.ledger.entries import Complete, Refuse
from fedscan.privacy.ledger.view import LedgerView
from fedscan.privacy.mechanism import SubsampledGaussian
from hypothesis import given
from hypothesis import strategies as st
from joint_ledgers import (
    DELTA,
    LOCAL,
    MASKED,
    OTHER,
    RESULT,
    ROSTER,
    SHARE,
    digest,
    open_ledger,
    pay,
)


def test_a_joint_step_counts_in_both_ways_and_a_local_one_equally_in_both(tmp_path):
    with open_ledger(tmp_path) as ledger:
        pay(ledger, 1)
        ledger.reserve(digest(2), [LOCAL], purpose="count")
        spent = ledger.spent()
    # Noise of 10 from each of 4 sites is noise of 20 together.
    assert spent.epsilon == epsilon([LOCAL, LOCAL], DELTA)
    assert spent.collusion_epsilon == epsilon([LOCAL, SHARE.own], DELTA)
    assert spent.collusion_epsilon > spent.epsilon
    book = LedgerView.read(tmp_path).book
    assert book.mechanisms() == (replace(LOCAL, steps=2),)
    assert set(book.own_mechanisms()) == {LOCAL, SHARE.own}


def pay_among(ledger: Ledger, number: int, **sites: int):
    return ledger.reserve(
        digest(number),
        [SHARE.own],
        joint=[SHARE.joint],
        purpose=f"round {number}",
        study=digest(0),
        **sites,
    )


def test_a_stricter_policy_counts_the_past_anew(tmp_path):
    limits = {"epsilon_ceiling": 8.0, "collusion_ceiling": 20.0, "delta": DELTA}
    with Ledger.open(tmp_path, "data", **limits) as ledger:
        # Five sites of which one may collude: noise of 10 from each of 4.
        pay_among(ledger, 1, honest_sites=4, colluding_sites=1)
        as_planned = ledger.spent()
    found = {}
    for colluding in range(6):
        with Ledger.open(tmp_path, "data", **limits, colluding_sites=colluding) as ledger:
            found[colluding] = ledger.spent().epsilon
            assert ledger.spent().collusion_epsilon == as_planned.collusion_epsilon
        view = LedgerView.read(tmp_path, colluding_sites=colluding)
        assert epsilon(view.book.mechanisms(), DELTA) == found[colluding]
    assert found[0] == found[1] == as_planned.epsilon
    for colluding, honest in ((2, 3), (3, 2), (4, 1), (5, 1)):
        fewer = JointShare.of(SHARE.own, honest=honest, minimum=10.0)
        assert found[colluding] == pytest.approx(epsilon([fewer.joint], DELTA), rel=1e-6)
    # It may forbid what was allowed before, and forgets nothing when it is taken back.
    ceiling = {**limits, "epsilon_ceiling": found[1] * 1.5}
    with (
        Ledger.open(tmp_path, "data", **ceiling, colluding_sites=4) as ledger,
        pytest.raises(BudgetExceededError),
    ):
        pay_among(ledger, 2, honest_sites=4, colluding_sites=4)
    with Ledger.open(tmp_path, "data", **ceiling) as ledger:
        pay_among(ledger, 3, honest_sites=4, colluding_sites=1)


def test_sums_of_which_it_is_not_noted_count_as_they_were_planned(tmp_path):
    with open_ledger(tmp_path) as ledger:
        pay(ledger, 1)
        before = ledger.spent().epsilon
    view = LedgerView.read(tmp_path, colluding_sites=3)
    assert epsilon(view.book.mechanisms(), DELTA) == before
    assert "honest_sites" not in (tmp_path / "ledger.jsonl").read_text()


@given(
    noise=st.floats(0.3, 5),
    more=st.floats(0, 3),
    honest=st.integers(1, 50),
    fewer=st.integers(0, 60),
)
def test_fewer_honest_sites_leave_less_noise_and_never_less_than_the_own(
    noise, more, honest, fewer
):
    share = JointShare.of(SubsampledGaussian(0.2, noise + more, 3), honest=honest, minimum=noise)
    counted = share.among_fewer(honest, fewer)
    expected = JointShare.of(share.own, honest=max(1, honest - fewer), minimum=noise)
    assert counted.own == share.own
    assert counted.joint.noise_multiplier == pytest.approx(expected.joint.noise_multiplier)
    assert share.own.noise_multiplier <= counted.joint.noise_multiplier
    assert counted.joint.noise_multiplier <= share.joint.noise_multiplier * (1 + 1e-12)


def pay_while_possible(ledger: Ledger) -> int:
    """Pay for rounds until one is refused, and return its number."""
    number = 1
    try:
        while True:
            pay(ledger, number)
            number += 1
    except BudgetExceededError:
        return number


@pytest.mark.parametrize(
    ("ceiling", "collusion", "said"),
    [(0.4, 20.0, "past its ceiling"), (0.5, 0.5, "If all other sites worked together")],
)
def test_either_ceiling_refuses_before_the_secret_is_there(tmp_path, ceiling, collusion, said):
    with open_ledger(tmp_path, ceiling, collusion) as ledger:
        number = pay_while_possible(ledger)
        with pytest.raises(BudgetExceededError, match=said):
            pay(ledger, number)
        spent = ledger.spent()
        assert spent.epsilon <= ceiling
        assert spent.collusion_epsilon <= collusion
        refusal = ledger.entries()[-1].record
        assert isinstance(refusal, Refuse)
        assert refusal.epsilon > ceiling or refusal.collusion_epsilon > collusion
        # The refused step has no secret: it can never run.
        assert len(list((tmp_path / "secrets").iterdir())) == number - 1
    assert "if all others collude" in LedgerView.read(tmp_path).rows()[-1].state


def test_a_local_step_is_held_against_the_collusion_ceiling_too(tmp_path):
    with open_ledger(tmp_path, 1.0, 1.0) as ledger:
        for number in range(1, 6):
            pay(ledger, number)
        room = ledger.epsilon_with([replace(LOCAL, steps=12)])
        assert room < 1.0 < ledger.collusion_epsilon_with([replace(LOCAL, steps=12)])
        with pytest.raises(BudgetExceededError, match="all other sites worked together"):
            ledger.reserve(digest(9), [replace(LOCAL, steps=12)], purpose="round")


def test_without_a_collusion_ceiling_of_its_own_the_stricter_one_holds(tmp_path):
    with (
        Ledger.open(tmp_path, "data", epsilon_ceiling=0.3, delta=DELTA) as ledger,
        pytest.raises(BudgetExceededError, match="all other sites"),
    ):
        pay(ledger, 1)
    with pytest.raises(PrivacyError, match="collusion_ceiling"):
        open_ledger(tmp_path, 8.0, 7.0)


def test_one_roster_for_a_payment_ever(tmp_path):
    with open_ledger(tmp_path) as ledger:
        reservation = pay(ledger, 1)
        ledger.complete(reservation, RESULT, roster=ROSTER, masked_sum=MASKED)
        ledger.complete(reservation, RESULT, roster=ROSTER, masked_sum=MASKED)
        for result, roster, masked in (
            (RESULT, OTHER, MASKED),
            (RESULT, ROSTER, OTHER),
            (OTHER, ROSTER, MASKED),
            (OTHER, OTHER, OTHER),
        ):
            with pytest.raises(ChangedResultError):
                ledger.complete(reservation, result, roster=roster, masked_sum=masked)
    with open_ledger(tmp_path) as ledger:
        again = pay(ledger, 1)
        assert again.replay
        with pytest.raises(ChangedResultError):
            ledger.complete(again, RESULT, roster=OTHER, masked_sum=MASKED)
        assert sum(isinstance(entry.record, Complete) for entry in ledger.entries()) == 1
        found = ledger.find(digest(1))
        assert (found.result, found.roster, found.masked_sum) == (RESULT, ROSTER, MASKED)
    assert ROSTER[:8] in LedgerView.read(tmp_path).rows()[1].state


def test_a_joint_sum_leaves_masked_only_and_nothing_else_does(tmp_path):
    with open_ledger(tmp_path) as ledger:
        joint = pay(ledger, 1)
        local = ledger.reserve(digest(2), [LOCAL], purpose="round 2")
        for roster, masked in ((None, None), (ROSTER, None), (None, MASKED)):
            with pytest.raises(PrivacyError, match="roster"):
                ledger.complete(joint, RESULT, roster=roster, masked_sum=masked)
        with pytest.raises(PrivacyError, match="with a roster"):
            ledger.complete(local, RESULT, roster=ROSTER, masked_sum=MASKED)
        assert not any(isinstance(entry.record, Complete) for entry in ledger.entries())
        ledger.complete(local, RESULT)


def test_a_repeated_request_must_be_of_the_same_kind(tmp_path):
    with open_ledger(tmp_path) as ledger:
        pay(ledger, 1)
        with pytest.raises(PrivacyError, match="other mechanisms"):
            ledger.reserve(digest(1), [SHARE.own], purpose="round 1")
        more = replace(SHARE.joint, noise_multiplier=25.0)
        with pytest.raises(PrivacyError, match="other mechanisms"):
            ledger.reserve(digest(1), [SHARE.own], joint=[more], purpose="round 1")


@pytest.mark.parametrize(
    "joint",
    [
        [],
        [SHARE.joint, SHARE.joint],
        [replace(SHARE.own, noise_multiplier=9.0)],
        [replace(SHARE.joint, steps=2)],
    ],
)
def test_shares_that_do_not_belong_together_are_refused(tmp_path, joint):
    with open_ledger(tmp_path) as ledger:
        with pytest.raises(PrivacyError):
            ledger.reserve(digest(1), [SHARE.own], joint=joint, purpose="round 1")
        assert len(ledger.entries()) == 1
