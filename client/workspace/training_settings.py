"""A study's terms as the loss and the optimizer of local training take them."""

from __future__ import annotations

from ...model.patient_loss import LossSettings
from ...privacy.descent import DescentSettings
from ...privacy.settings import PrivacySettings
from ..settings import LocalSettings


def loss_settings(local: LocalSettings, privacy: PrivacySettings) -> LossSettings:
    """Return what a patient's loss is the mean of."""
    return LossSettings(
        draws=privacy.draws_per_patient,
        timestep_low=local.timestep_low,
        timestep_high=local.timestep_high,
    )


def descent_settings(local: LocalSettings) -> DescentSettings:
    """Return how weights follow the gradients."""
    return DescentSettings(
        learning_rate=local.learning_rate,
        optimizer=local.optimizer,
        momentum=local.momentum,
        proximal_mu=local.proximal_mu,
        ema_decay=local.ema_decay,
    )
