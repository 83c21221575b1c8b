"""What a steward is told and a dashboard shows is what the ledger is charged."""

from __future__ import annotations

import tempfile
from collections.abc import Callable, Sequence
from dataclasses import replace
from pathlib import Path

import pytest
from fedscan.client.cost import Cost, study_cost
from fedscan.client.policy import SitePolicy, load_policy, write_policy
from fedscan.client.settings import LocalSettings
from fedscan.client.steward.approvals import Approvals
from fedscan.client.steward.home import SiteHome
from fedscan.client.terms import StudyTerms
from fedscan.config.federation import FederationSettings
from fedscan.config.study import Study, load_study
from fedscan.federation.protocol import RoundReply, RoundRequest
from fedscan.privacy.joint.plan import plan_joint
from fedscan.privacy.joint.shares import JointShare
from fedscan.privacy.ledger import Ledger
from fedscan.privacy.ledger.view import LedgerView
from fedscan.privacy.mechanism import SubsampledGaussian
from fedscan.privacy.settings import PrivacySettings
from fedscan.privacy.study_costs import once_mechanisms
from fedscan.server.dashboard.implied_epsilons import implied_epsilons
from fedscan.server.terms import site_terms
from hypothesis import given, settings
from hypothesis import strategies as st
from site_homes import OPEN, invitation_of

Ask = Callable[..., RoundReply]
Make = Callable[..., RoundRequest]

POLICY = replace(OPEN, epsilon_ceiling=50.0)


def told(ledger: Path, request: RoundRequest) -> Cost:
    terms = StudyTerms.from_request(request)
    return study_cost(ledger, POLICY, terms, request.study(), request.rounds)


@pytest.mark.parametrize("composition", [0.0, 0.05])
@pytest.mark.parametrize(
    ("share", "asked"), [(0.0, False), (0.1, True), (0.1, False)], ids=["none", "asked", "offered"]
)
def test_the_site_is_charged_what_everybody_was_told(
    home: SiteHome, ask: Ask, make_request: Make, share: float, asked: bool, composition: float
) -> None:
    changes = [f"privacy.statistics_share={share}", f"privacy.composition_share={composition}"]
    request = make_request(*changes)
    study = load_study(
        None, ["federation.rounds=2", "local.steps=1", f"warm_up.enabled={str(asked).lower()}"]
    )
    study = replace(study, privacy=StudyTerms.from_request(request).privacy)
    write_policy(home.policy, POLICY)
    assert load_policy(home.policy).delta == study.privacy.delta
    Approvals(home).approve(invitation_of(request), "chest")
    ledger = home.state("chest") / "ledger"
    before = told(ledger, request)
    codes = [ask(replace(request, round=0, tensors={}), "query.statistics").code] if asked else []
    codes += [ask(request).code]
    running = told(ledger, request)
    codes += [ask(make_request(*changes, number=2)).code]
    assert set(codes) == {"ok"}
    charged = [row.epsilon for row in LedgerView.read(ledger).rows() if row.epsilon is not None]
    assert charged[-3:] == pytest.approx(
        [epsilon for epsilon, _ in implied_epsilons(study)], rel=1e-9
    )
    assert before.after is not None
    assert charged[-1] <= before.after + 1e-9
    if asked or not share:
        assert before.after == pytest.approx(charged[-1], rel=1e-3)
    # Once the noise is fixed there is nothing left to guess.
    assert running.after == pytest.approx(charged[-1], rel=1e-9)
    # And nothing more can be had for it: the study would pass its epsilon.
    if share and not asked:
        late = ask(replace(request, round=0, tensors={}), "query.statistics")
        assert late.code == "budget-exceeded"
        assert told(ledger, request).before == pytest.approx(charged[-1], rel=1e-9)


@st.composite
def studies(draw: st.DrawFn) -> Study:
    """Private studies whose warm-up is on only where it is paid for."""
    share = draw(st.sampled_from([0.0, 0.05, 0.3]))
    return load_study(
        None,
        [
            f"privacy.epsilon={draw(st.sampled_from([2.0, 8.0]))}",
            f"privacy.statistics_share={share}",
            f"privacy.composition_share={draw(st.sampled_from([0.0, 0.02, 0.2]))}",
            f"warm_up.enabled={str(share > 0 and draw(st.booleans())).lower()}",
            f"federation.rounds={draw(st.integers(1, 3))}",
            f"local.steps={draw(st.integers(1, 4))}",
        ],
    )


@settings(max_examples=8)
@given(studies())
def test_the_terms_alone_say_what_a_ledger_comes_to(study: Study) -> None:
    rounds, steps, privacy = study.federation.rounds, study.local.steps, study.privacy
    request = RoundRequest(
        round=1, rounds=rounds, base="0" * 64, terms=site_terms(study), tensors={}
    )
    with tempfile.TemporaryDirectory() as folder:
        path, name = Path(folder) / "ledger", request.study()
        before = told(path, request)
        with Ledger.open(path, "0" * 32, epsilon_ceiling=50.0, delta=privacy.delta) as ledger:
            for number, once in enumerate(
                once_mechanisms(privacy, statistics=study.warm_up.enabled)
            ):
                ledger.reserve(f"{number:064x}", [once], purpose="once", study=name)
            spent = [ledger.spent(name).epsilon]
            planned = ledger.plan(
                name,
                epsilon=privacy.epsilon,
                delta=privacy.delta,
                sample_rate=privacy.sample_rate,
                steps=rounds * steps,
            )
            for number in range(1, rounds + 1):
                trained = replace(planned, steps=steps)
                ledger.reserve(
                    f"{100 + number:064x}", [trained], purpose=f"round {number}", study=name
                )
                spent.append(ledger.spent(name).epsilon)
        # Without joint sums both epsilons are one number.
        for both, one in zip(implied_epsilons(study), spent, strict=True):
            assert both == pytest.approx((one, one))
        assert before.collusion is None
        assert before.after is not None
        assert spent[-1] <= before.after + 1e-9
        assert told(path, request).after == pytest.approx(spent[-1], rel=1e-9)


JOINT = PrivacySettings(
    sum="joint", epsilon=4.0, collusion_epsilon=10.0, sample_rate=0.5, spare_attempts=2
)


@pytest.mark.parametrize("statistics_share", [0.0, 0.1])
def test_a_joint_study_costs_in_both_ways_what_was_told(
    tmp_path: Path, make_request: Make, statistics_share: float
) -> None:
    rounds, privacy = 3, replace(JOINT, statistics_share=statistics_share)
    terms = replace(StudyTerms.from_request(make_request()), privacy=privacy)
    path, name = tmp_path / "ledger", "5" * 64
    policy = replace(POLICY, collusion_ceiling=60.0)
    told_before = study_cost(path, policy, terms, name, rounds)
    spent = []
    with Ledger.open(
        path, "0" * 32, epsilon_ceiling=50.0, collusion_ceiling=60.0, delta=policy.delta
    ) as ledger:

        def pay(number: int, shares: Sequence[JointShare], purpose: str) -> None:
            own, joint = [share.own for share in shares], [share.joint for share in shares]
            ledger.reserve(f"{number:064x}", own, joint=joint, purpose=purpose, study=name)
            now = ledger.spent(name)
            spent.append((now.epsilon, now.collusion_epsilon))

        pay(0, plan_joint(privacy, rounds).once, "statistics")
        share = ledger.plan_joint(name, privacy, rounds).with_steps(1)
        for number in range(1, 6):
            pay(number, [share], f"round {number} attempt 1")
            if number == 2:
                running = study_cost(path, policy, terms, name, rounds)
    told_after = study_cost(path, policy, terms, name, rounds)
    told_by_round = [(epsilon, alone) for _, epsilon, alone in told_before.by_round]
    assert [number for number, *_ in told_before.by_round] == [0, 1, 2, 3, 5]
    assert told_by_round == [pytest.approx(spent[number], rel=1e-9) for number in (0, 1, 2, 3, 5)]
    for cost in (told_before, running, told_after):
        assert cost.collusion is not None
        assert (cost.after, cost.collusion.after) == pytest.approx(spent[-1], rel=1e-9)
        assert (cost.ceiling, cost.collusion.ceiling) == (50.0, 60.0)
    assert (told_after.before, told_after.collusion.before) == pytest.approx(spent[-1], rel=1e-9)
    assert spent[-1][0] <= 4.0
    assert spent[-1][1] <= 10.0
    study = Study(
        privacy=privacy, local=LocalSettings(steps=1), federation=FederationSettings(rounds=rounds)
    )
    assert [pytest.approx(both, rel=1e-9) for both in implied_epsilons(study)] == spent


def test_a_joint_study_is_refused_for_the_ceiling_that_it_would_pass(
    tmp_path: Path, make_request: Make
) -> None:
    terms = replace(StudyTerms.from_request(make_request()), privacy=JOINT)
    path = tmp_path / "ledger"
    used = JointShare.of(SubsampledGaussian(1.0, 0.7, 1), honest=100, minimum=0.7)
    with Ledger.open(
        path, "0" * 32, epsilon_ceiling=8.0, collusion_ceiling=20.0, delta=POLICY.delta
    ) as ledger:
        ledger.reserve("1" * 64, [used.own], joint=[used.joint], purpose="before")
    cost = study_cost(
        path, replace(POLICY, epsilon_ceiling=5.0, collusion_ceiling=6.0), terms, "5" * 64, 3
    )
    assert cost.after is None
    assert cost.collusion.after is None
    assert "If all other sites worked together" in cost.problem


def test_the_default_study_leaves_the_default_policy_room_for_another(tmp_path: Path) -> None:
    """Whoever approves the first study that comes along has not spent a data set's life."""
    policy, study = SitePolicy(), Study()
    terms, rounds = StudyTerms.from_texts(site_terms(study)), study.federation.rounds
    first = study_cost(tmp_path / "ledger", policy, terms, "1" * 64, rounds)
    assert first.after is not None
    assert first.after <= study.privacy.epsilon * (1 + 1e-6)
    assert study.privacy.epsilon <= policy.epsilon_ceiling / 2
    once = once_mechanisms(study.privacy, statistics=study.warm_up.enabled)
    limits = {"epsilon_ceiling": policy.epsilon_ceiling, "delta": policy.delta}
    with Ledger.open(tmp_path / "ledger", "ab" * 16, **limits) as ledger:
        ledger.reserve("2" * 64, once, purpose="once", study="1" * 64)
        training = ledger.plan(
            "1" * 64,
            epsilon=study.privacy.epsilon,
            sample_rate=study.privacy.sample_rate,
            steps=rounds * study.local.steps,
        )
        ledger.reserve("3" * 64, [training], purpose="round 1", study="1" * 64)
    second = study_cost(tmp_path / "ledger", policy, terms, "4" * 64, rounds)
    assert second.before == pytest.approx(study.privacy.epsilon, rel=0.01)
    assert second.after is not None, second.problem
