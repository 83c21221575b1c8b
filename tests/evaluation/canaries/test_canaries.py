"""Planted patients show what a training without privacy gives away, and not more of one with it."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
import torch
from fedscan.errors import ConfigurationError
from fedscan.evaluation.canaries.audit import Audit
from fedscan.evaluation.canaries.audited import AuditedTraining
from fedscan.evaluation.canaries.examine import examine_canaries
from fedscan.evaluation.canaries.gradients import audit_steps
from fedscan.evaluation.canaries.image_rows import image_loss
from fedscan.evaluation.canaries.images import make_canaries
from fedscan.evaluation.canaries.rehearsal import SiteTraining, open_copy, rehearse
from fedscan.evaluation.gate import LineOutcome, default_gate, hold, load_gate
from fedscan.evaluation.measures.image_sets import ImageSet
from fedscan.evaluation.memory.membership import less_reference, loss_errors
from fedscan.evaluation.section import Section
from fedscan.evaluation.settings import CanarySettings
from fedscan.model.generator import Generator
from fedscan.model.patient_loss import LossSettings
from fedscan.model.settings import TrainableSettings
from fedscan.privacy.descent import DescentSettings
from fedscan.privacy.gradients import patient_gradient
from fedscan.privacy.mechanism import SubsampledGaussian
from fedscan.privacy.planning import plan_mechanism
from fedscan.privacy.settings import PrivacySettings
from fedscan.privacy.stream import SecretStream
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays

SETTINGS = CanarySettings(
    gradients=40,
    gradient_guesses=20,
    canaries=16,
    guesses=12,
    patients=1,
    steps=24,
    timesteps=4,
    noises=3,
)
LEARNING_RATE = 5e-3
PRIVACY = PrivacySettings(epsilon=2.0, sample_rate=0.5, draws_per_patient=4)


def training(privacy: PrivacySettings, subset: str = "all") -> SiteTraining:
    return SiteTraining(
        privacy=privacy,
        trainable=TrainableSettings(subset=subset),
        loss=LossSettings(draws=privacy.draws_per_patient),
        descent=DescentSettings(learning_rate=LEARNING_RATE),
        round_steps=24,
        rounds=1,
    )


def examine(
    start: Generator,
    real: ImageSet,
    privacy: PrivacySettings,
    settings: CanarySettings = SETTINGS,
    subset: str = "all",
) -> Section:
    return examine_canaries(start, real, training=training(privacy, subset), settings=settings)


def value(section: Section, name: str) -> float | None:
    return next(measure.value for measure in section.measures if measure.name == name)


def test_a_training_without_privacy_gives_canaries_away(start, heads):
    section = examine(start, heads.train, PrivacySettings(enabled=False, sample_rate=0.5))
    assert value(section, "image_epsilon_lower_bound") > 0.3
    # Without noise every guess is right: the number of guesses alone limits what is proven.
    assert value(section, "gradient_guesses_right") == 1.0
    assert value(section, "epsilon_lower_bound") > 1
    assert value(section, "epsilon_accounted") is None
    assert "without privacy" in section.summary


def test_a_private_training_gives_away_no_more_than_accounted(start, heads):
    section = examine(start, heads.train, PRIVACY, replace(SETTINGS, steps=8))
    accounted = value(section, "epsilon_accounted")
    assert 1.9 < accounted <= 2.0
    assert value(section, "epsilon_lower_bound") < accounted
    assert "nothing contradicts it" in section.summary


def test_planted_gradients_prove_much_but_no_more_than_accounted(start, heads):
    mechanism = plan_mechanism(epsilon=8.0, delta=1e-5, sample_rate=0.5, steps=4)

    def bound(noise: float) -> float:
        audited = AuditedTraining(
            start=start,
            real=heads.train.select([0]),
            training=training(
                PrivacySettings(epsilon=8.0, sample_rate=0.5, draws_per_patient=1), "lora"
            ),
            mechanism=replace(mechanism, noise_multiplier=noise),
            steps=4,
            confidence=0.95,
        )
        return audit_steps(audited, canaries=300, guesses=60).lower_bound

    assert 1 < bound(mechanism.noise_multiplier) < 8
    # A tenth of the noise that was accounted for is noticed.
    assert bound(mechanism.noise_multiplier / 10) > 2


def test_a_training_that_claims_more_privacy_than_it_has_is_caught(start, heads, monkeypatch):
    hardly_any = SubsampledGaussian(PRIVACY.sample_rate, 0.05, 4)
    monkeypatch.setattr("fedscan.evaluation.canaries.examine._mechanism", lambda *_: hardly_any)
    monkeypatch.setattr("fedscan.evaluation.canaries.examine.accounted_epsilon", lambda *_: 0.5)
    section = examine(start, heads.train, PRIVACY, replace(SETTINGS, steps=4))
    assert value(section, "epsilon_excess") > 0
    assert "THE PRIVACY IS BROKEN" in section.summary


def test_canaries_differ_from_each_other():
    canaries = make_canaries(48, 32, np.random.default_rng(0))
    assert canaries.patient_count == 48
    assert len(set(canaries.descriptions)) == 48
    likeness = np.corrcoef(canaries.images.reshape(48, -1)) - np.eye(48)
    assert np.abs(likeness).max() < 0.5


@pytest.mark.parametrize(
    "settings",
    [
        CanarySettings(canaries=8, guesses=9, steps=1),
        CanarySettings(gradients=8, gradient_guesses=9, steps=1),
        CanarySettings(gradients=100_000, steps=1),
    ],
)
def test_no_more_is_guessed_than_planted(start, heads, settings):
    with pytest.raises(ConfigurationError, match="guesses"):
        examine(start, heads.train, PRIVACY, settings, subset=TrainableSettings().subset)


def test_canaries_move_adapters_and_adapters_their_losses(start):
    plan = training(PrivacySettings(enabled=False, sample_rate=0.9), "adapters")
    canaries = make_canaries(8, start.image_size, np.random.default_rng(0))
    trained, parameters = open_copy(start, plan)
    loss = image_loss(trained, canaries, plan.loss)
    stream = SecretStream(bytes(32), "look")
    moved = {
        name
        for number in range(8)
        for name, part in zip(
            parameters, patient_gradient(parameters, loss, number, stream), strict=True
        )
        if part is not None and part.any()
    }
    assert moved == set(parameters)
    before = {name: tensor.detach().clone() for name, tensor in parameters.items()}
    rehearse(parameters, loss, plan, mechanism=None, steps=4, expected_patients=8.0, key=bytes(32))
    assert not any(torch.equal(before[name], parameters[name]) for name in parameters)
    first, last = (
        loss_errors(generator, canaries, timesteps=2, noises=1, seed=0)
        for generator in (start, trained)
    )
    assert less_reference(last, first).all()


@pytest.mark.parametrize("privacy", [PRIVACY, PrivacySettings(enabled=False, sample_rate=0.5)])
def test_the_audit_of_adapters_can_show_something(start, heads, privacy):
    section = examine(start, heads.train, privacy, replace(SETTINGS, steps=4), subset="adapters")
    assert not any(measure.inconclusive for measure in section.measures)
    assert value(section, "image_guesses_right") is not None
    assert gate_line(section).passed


def gate_line(section: Section) -> LineOutcome:
    lines = hold(load_gate(default_gate()), [section]).lines
    return next(line for line in lines if line.measure == "canaries.epsilon_excess")


@pytest.mark.parametrize("privacy", [PRIVACY, PrivacySettings(enabled=False, sample_rate=0.5)])
def test_canaries_that_cannot_leave_a_trace_are_no_clean_result(start, heads, monkeypatch, privacy):
    # A generator that reads no conditions: its adapters get no gradient, and change no loss.
    monkeypatch.setattr(Generator, "_spatial_features", lambda self, spatial: None)
    section = examine(start, heads.train, privacy, replace(SETTINGS, steps=4), subset="adapters")
    images = {m.name: m for m in section.measures if m.name.startswith("image_")}
    assert all(one.inconclusive and one.value is None for one in images.values())
    assert all("no canary's loss has a gradient" in one.note for one in images.values())
    assert "by made-up images COULD HAVE SHOWN NOTHING" in section.summary
    # Gradients were planted in the weights themselves, and moved them.
    assert value(section, "gradient_guesses_right") is not None
    if value(section, "epsilon_accounted") is not None:
        assert value(section, "epsilon_excess") is None
    assert not gate_line(section).passed
    assert Section.from_dict(section.to_dict()) == section


def test_too_few_guesses_are_no_clean_result(start, heads):
    few = replace(SETTINGS, gradient_guesses=4, guesses=4, steps=2)
    section = examine(start, heads.train, PRIVACY, few)
    assert section.summary.count("4 guesses are too few to prove anything") == 2
    assert value(section, "epsilon_lower_bound") is None
    assert not gate_line(section).passed
    assert gate_line(examine(start, heads.train, PRIVACY, replace(SETTINGS, steps=2))).passed


@given(scores=st.floats(-1, 1), planted=arrays(np.bool_, 40))
def test_an_auditor_to_whom_all_look_alike_says_so(scores, planted):
    blind = Audit.of(np.full(40, scores), planted, guesses=20, delta=1e-5, confidence=0.95)
    assert "exactly alike" in blind.silent
    seeing = Audit.of(np.arange(40.0), planted, guesses=20, delta=1e-5, confidence=0.95)
    assert not seeing.silent
    known = Audit.of(
        np.arange(40.0), planted, guesses=20, delta=1e-5, confidence=0.95, silent="it is dark"
    )
    assert known.silent == "it is dark"


def test_a_private_audit_that_is_half_blind_still_shows_what_is_broken(start, heads, monkeypatch):
    hardly_any = SubsampledGaussian(PRIVACY.sample_rate, 0.05, 4)
    monkeypatch.setattr("fedscan.evaluation.canaries.examine._mechanism", lambda *_: hardly_any)
    monkeypatch.setattr("fedscan.evaluation.canaries.examine.accounted_epsilon", lambda *_: 0.5)
    section = examine(start, heads.train, PRIVACY, replace(SETTINGS, guesses=4, steps=4))
    assert value(section, "epsilon_excess") > 0
    assert "THE PRIVACY IS BROKEN" in section.summary
    assert "by made-up images COULD HAVE SHOWN NOTHING" in section.summary
