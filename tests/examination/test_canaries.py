"""Planted patients show what a training without privacy gives away, and not more of one with it."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from fedscan.errors import ConfigurationError
from fedscan.evaluation.real_sets import ImageSet
from fedscan.examination.canaries import examine_canaries, make_canaries
from fedscan.examination.section import Section
from fedscan.examination.settings import CanarySettings
from fedscan.model.generator import Generator
from fedscan.model.settings import TrainableSettings
from fedscan.privacy.settings import PrivacySettings

SETTINGS = CanarySettings(canaries=16, guesses=12, patients=1, steps=24, timesteps=4, noises=3)
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
        settings=settings,
    )


def value(section: Section, name: str) -> float | None:
    return next(measure.value for measure in section.measures if measure.name == name)


def test_a_training_without_privacy_gives_canaries_away(start, heads):
    section = examine(start, heads.train, PrivacySettings(enabled=False, sample_rate=0.5))
    assert value(section, "epsilon_lower_bound") > 0.5
    assert value(section, "epsilon_accounted") is None
    assert "without privacy" in section.summary


def test_a_private_training_gives_away_no_more_than_accounted(start, heads):
    section = examine(start, heads.train, PRIVACY, replace(SETTINGS, steps=8))
    accounted = value(section, "epsilon_accounted")
    assert 1.9 < accounted <= 2.0
    assert value(section, "epsilon_lower_bound") < accounted
    assert "nothing contradicts it" in section.summary


def test_canaries_differ_from_each_other():
    canaries = make_canaries(48, 32, np.random.default_rng(0))
    assert canaries.patient_count == 48
    assert len(set(canaries.descriptions)) == 48
    likeness = np.corrcoef(canaries.images.reshape(48, -1)) - np.eye(48)
    assert np.abs(likeness).max() < 0.5


def test_no_more_is_guessed_than_planted(start, heads):
    with pytest.raises(ConfigurationError, match="guesses"):
        examine_canaries(
            start,
            heads.train,
            privacy=PRIVACY,
            trainable=TrainableSettings(),
            learning_rate=LEARNING_RATE,
            settings=CanarySettings(canaries=8, guesses=9),
        )
