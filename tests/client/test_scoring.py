"""A generator is scored at the site; outside there are noised numbers that the ledger paid for."""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch
from fedscan.client.data.identity import DatasetIdentity
from fedscan.client.policy import write_policy
from fedscan.client.scoring.release import noised_numbers, release_scores, score_mechanism
from fedscan.client.scoring.score import SiteScores, score_approved, scores_file
from fedscan.client.site import Site
from fedscan.client.steward.approvals import Approval, Approvals
from fedscan.client.steward.home import SiteHome
from fedscan.common.audit import AuditLog
from fedscan.errors import BudgetExceededError, DataError, ModelError, PrivacyError, SignatureError
from fedscan.federation.pki.keys import read_private_key
from fedscan.federation.protocol import DEVIATION, RoundRequest
from fedscan.federation.scores import NUMBERS, ScoreReport, read_report
from fedscan.model.statistics.scores import BINS, CELLS, SCALE, PatientScore
from fedscan.model.storage import generator_digest, load_generator, save_generator
from fedscan.privacy.accounting import epsilon
from fedscan.privacy.ledger import Ledger
from fedscan.privacy.settings import PrivacySettings
from fedscan.privacy.stream import SecretStream
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy import stats
from site_homes import OPEN, invitation_of, paid
from tiny_hospitals import write_hospitals

Make = Callable[..., RoundRequest]
#: Half of twelve patients are held out by the draw of their identifiers, or near it.
_TERMS = ("data.holdout_fraction=0.5",)
RELEASING = replace(OPEN, release_scores=True)


@pytest.fixture
def approval(home: SiteHome, make_request: Make) -> Approval:
    write_hospitals(home.folder.parent / "scans", {"chest": 12}, images=1)
    return Approvals(home).approve(invitation_of(make_request(*_TERMS)), "chest")


@pytest.fixture(scope="session")
def changed(base: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A descendant of the base: what the base denoises, it denoises otherwise."""
    generator = load_generator(base)
    with torch.no_grad():
        for value in generator.unet.parameters():
            value.mul_(1.02)
    folder = tmp_path_factory.mktemp("changed")
    save_generator(generator, folder)
    return folder


def scored(home: SiteHome, approval: Approval, folder: Path) -> tuple[Site, SiteScores]:
    return score_approved(home, approval, folder, finding="pneumonia")


def made_up(patients: int = 30) -> SiteScores:
    rng = np.random.default_rng(0)
    return SiteScores(
        study="ab" * 32,
        generator="cd" * 32,
        finding="lesion",
        patients=tuple(
            PatientScore(ratio=float(ratio), has_finding=bool(ratio < 1), says_so=True)
            for ratio in rng.normal(1, 0.1, patients)
        ),
    )


def test_exact_scores_stay_at_the_site_and_cost_nothing(
    home: SiteHome, approval: Approval, changed: Path, base: Path
) -> None:
    site, scores = scored(home, approval, changed)
    assert 2 <= len(scores.patients) <= 10
    assert scores.generator == generator_digest(changed)
    assert sum(scores.numbers[:BINS]) == len(scores.patients)
    assert sum(scores.numbers[BINS:]) == len(scores.patients), "each has a known finding"
    content = json.loads(scores_file(site, scores).read_bytes())
    assert content["numbers"] == scores.numbers
    assert not (home.state("chest") / "ledger").exists()
    assert scored(home, approval, changed)[1].numbers == scores.numbers, "the same noises again"
    # The base is as good as itself: no patient fits better, and none worse.
    _, of_base = scored(home, approval, base)
    assert {score.ratio for score in of_base.patients} == {1.0}


def test_a_result_in_half_precision_is_scored(
    home: SiteHome, approval: Approval, base: Path, changed: Path, tmp_path: Path
) -> None:
    """Results of Stable Diffusion are saved so: it is no other autoencoder than the base's."""
    save_generator(load_generator(changed), tmp_path / "half", half_precision=True)
    _, whole = scored(home, approval, changed)
    _, half = scored(home, approval, tmp_path / "half")
    ratios = [[one.ratio for one in each.patients] for each in (whole, half)]
    np.testing.assert_allclose(ratios[0], ratios[1], rtol=0.02)
    foreign = load_generator(base)
    with torch.no_grad():
        next(foreign.autoencoder.parameters()).mul_(1.01)
    save_generator(foreign, tmp_path / "foreign")
    with pytest.raises(ModelError, match="was not made from this study's base"):
        scored(home, approval, tmp_path / "foreign")


def test_nothing_leaves_unless_the_policy_says_so(
    home: SiteHome, approval: Approval, changed: Path
) -> None:
    site, scores = scored(home, approval, changed)
    with pytest.raises(PrivacyError, match="keeps scores here"):
        release_scores(home, site, scores, 0.5)
    write_policy(home.policy, replace(RELEASING, min_noise_multiplier=50.0))
    with pytest.raises(PrivacyError, match="Noise multiplier"):
        release_scores(home, site, scores, 0.5)
    assert not (home.state("chest") / "ledger").exists()


def test_a_release_is_paid_for_once_and_signed(
    home: SiteHome, approval: Approval, changed: Path
) -> None:
    write_policy(home.policy, RELEASING)
    site, scores = scored(home, approval, changed)
    path = release_scores(home, site, scores, 0.5)
    (payment,) = paid(home.state("chest"))
    assert payment.purpose == "scores"
    assert payment.study != approval.study, "no study's promise pays for it"
    assert epsilon(payment.mechanisms, OPEN.delta) == pytest.approx(0.5, rel=0.02)
    report = read_report(path.read_bytes()).require_signed_by(
        read_private_key(home.tls_key).public_key()
    )
    assert report.deviation == pytest.approx(payment.mechanisms[0].noise_multiplier / SCALE)
    assert list(report.numbers) != scores.numbers
    # Again, also with the file lost or for another price: the same numbers, at no cost.
    before = path.read_bytes()
    path.unlink()
    again = read_report(release_scores(home, site, scores, 2.0).read_bytes()).report
    assert again == read_report(before).report
    assert len(paid(home.state("chest"))) == 1
    (event,) = [one for one in AuditLog(home.audit).entries() if one.event == "scores-released"][:1]
    assert event.facts["generator"] == scores.generator


def test_a_study_under_way_keeps_what_it_has_planned_with(
    home: SiteHome, approval: Approval, changed: Path
) -> None:
    write_policy(home.policy, replace(RELEASING, epsilon_ceiling=2.0))
    site, scores = scored(home, approval, changed)
    identity = DatasetIdentity.load_or_create(site.state).name
    with Ledger.open(site.ledger, identity, epsilon_ceiling=2.0, delta=OPEN.delta) as ledger:
        ledger.plan(approval.study, epsilon=1.9, sample_rate=0.25, steps=20)
    with pytest.raises(BudgetExceededError, match="under way"):
        release_scores(home, site, scores, 1.0)
    assert paid(home.state("chest")) == []
    release_scores(home, site, scores, 0.05)
    # A study that the steward has taken back plans with nothing any more.
    Approvals(home).withdraw(approval.study)
    with pytest.raises(BudgetExceededError, match="past its ceiling"):
        release_scores(home, site, replace(scores, finding="lesion"), 2.5)
    release_scores(home, site, replace(scores, finding="lesion"), 1.0)


def test_a_joint_study_under_way_keeps_both_of_its_promises(
    home: SiteHome, approval: Approval, changed: Path
) -> None:
    policy = replace(RELEASING, epsilon_ceiling=6.3, collusion_ceiling=6.3)
    write_policy(home.policy, policy)
    site, scores = scored(home, approval, changed)
    identity = DatasetIdentity.load_or_create(site.state).name
    privacy = PrivacySettings(
        sum="joint", epsilon=4.0, collusion_epsilon=8.0, sample_rate=0.5, statistics_share=0.1
    )
    with Ledger.open(
        site.ledger, identity, epsilon_ceiling=6.3, collusion_ceiling=6.3, delta=OPEN.delta
    ) as ledger:
        ledger.plan_joint(approval.study, privacy, 4)
    # Only by the sites' noise alone would this be too much.
    with pytest.raises(BudgetExceededError, match=r"its ceiling 6\.3"):
        release_scores(home, site, scores, 2.0)
    assert paid(home.state("chest")) == []
    release_scores(home, site, scores, 0.5)


def test_with_nobody_held_out_there_is_nothing_to_score(
    home: SiteHome, make_request: Make, changed: Path
) -> None:
    approved = Approvals(home).approve(invitation_of(make_request()), "chest")
    with pytest.raises(DataError, match="keeps no patient"):
        scored(home, approved, changed)


@settings(deadline=None)
@given(
    one=st.builds(
        PatientScore,
        ratio=st.floats(allow_nan=True, allow_infinity=True),
        has_finding=st.sampled_from([None, False, True]),
        says_so=st.sampled_from([None, False, True]),
    )
)
def test_one_patient_moves_the_numbers_by_no_more_than_was_paid_for(one: PatientScore) -> None:
    scores, mechanism = made_up(5), score_mechanism(0.5, 1e-5)
    more = replace(scores, patients=(*scores.patients, one))
    first, second = (
        noised_numbers(each, mechanism, SecretStream(bytes(32), "scores"))[NUMBERS]
        for each in (scores, more)
    )
    # Equal secrets cancel the noise; rounding is all that it may add.
    assert np.linalg.norm(second - first) * SCALE <= 1 + 1e-3


def test_the_noise_is_normal_and_of_the_deviation_that_is_told() -> None:
    scores, mechanism = made_up(), score_mechanism(1.0, 1e-5)
    noised = [
        noised_numbers(scores, mechanism, SecretStream(number.to_bytes(32, "big"), "scores"))
        for number in range(600)
    ]
    noise = np.stack([one[NUMBERS] for one in noised]) - np.array(scores.numbers)
    deviation = float(noised[0][DEVIATION][0])
    assert stats.kstest(noise.ravel() / deviation, "norm").pvalue > 1e-3
    assert np.abs(np.corrcoef(noise.T) - np.eye(CELLS)).max() < 5 / 600**0.5


def test_a_changed_report_or_another_sites_key_is_refused(home: SiteHome, tmp_path: Path) -> None:
    key = read_private_key(home.tls_key)
    report = ScoreReport(
        site="north",
        study="ab" * 32,
        generator="cd" * 32,
        finding="lesion",
        numbers=(1.0,) * CELLS,
        deviation=2.0,
    )
    content = report.sign(key)
    assert read_report(content).require_signed_by(key.public_key()) == report
    changed = content.replace(b'"north"', b'"south"')
    with pytest.raises(SignatureError, match="south"):
        read_report(changed).require_signed_by(key.public_key())
    with pytest.raises(SignatureError):
        read_report(content).require_signed_by(read_private_key(home.node_key).public_key())
