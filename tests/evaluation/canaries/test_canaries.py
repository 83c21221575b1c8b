"""Planted patients show what a training without privacy gives away, and not more of one with it."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from fedscan.errors import ConfigurationError
from fedscan.evaluation.canaries.examine import examine_canaries
from fedscan.evaluation.canaries.gradients import audit_steps
from fedscan.evaluation.canaries.images import make_canaries
from fedscan.evaluation.measures.image_sets import ImageSet
from fedscan.evaluation.section import Section
from fedscan.evaluation.settings import CanarySettings
from fedscan.model.generator import Generator
from fedscan.model.settings import TrainableSettings
from fedscan.privacy.mechanism import SubsampledGaussian
from fedscan.privacy.planning import plan_mechanism
from fedscan.privacy.settings import PrivacySettings

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


def examine(
    start: Generator,
    training: ImageSet,
    privacy: PrivacySettings,
    settings: CanarySettings = SETTINGS,
) -> Section:
    trainable = TrainableSettings(subset="all")
    return examine_canaries(
        start,
        training,
        privacy=privacy,
        trainable=trainable,
        learning_rate=LEARNING_RATE,
        study_steps=1,
        settings=settings,
    )


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
        return audit_steps(
            start,
            heads.train.select([0]),
            privacy=PrivacySettings(epsilon=8.0, sample_rate=0.5, draws_per_patient=1),
            mechanism=replace(mechanism, noise_multiplier=noise),
            trainable=TrainableSettings(subset="lora"),
            steps=4,
            canaries=300,
            guesses=60,
            confidence=0.95,
        ).lower_bound

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
        examine_canaries(
            start,
            heads.train,
            privacy=PRIVACY,
            trainable=TrainableSettings(),
            learning_rate=LEARNING_RATE,
            study_steps=1,
            settings=settings,
        )
