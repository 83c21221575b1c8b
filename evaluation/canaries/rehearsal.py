"""Training on images in memory as the sites of a study train on their own: round by round."""

from __future__ import annotations

import copy
import hashlib
from collections.abc import Mapping
from dataclasses import dataclass, replace

import torch
from torch import nn

from ...model.generator import Generator
from ...model.patient_loss import DiffusionLoss, LossSettings
from ...model.settings import TrainableSettings
from ...model.trainable import select_trainable
from ...privacy.descent import DescentSettings
from ...privacy.dp_sgd import TrainingResult, run_private_steps, run_unprotected_steps
from ...privacy.mechanism import SubsampledGaussian
from ...privacy.settings import PrivacySettings
from ...privacy.stream import SecretStream


@dataclass(frozen=True, kw_only=True)
class SiteTraining:
    """How a site trains in a study: all that an audit must repeat to audit the same thing.

    Attributes:
        privacy: Clip norm, sample rate, epsilon; or none.
        trainable: What trains.
        loss: What a patient's loss is the mean of.
        descent: How weights follow gradients.
        round_steps: Steps of a round.
        rounds: Rounds of the whole study.
    """

    privacy: PrivacySettings
    trainable: TrainableSettings
    loss: LossSettings
    descent: DescentSettings
    round_steps: int
    rounds: int

    @property
    def steps(self) -> int:
        """Steps that a site takes in the whole study."""
        return self.rounds * self.round_steps


def open_copy(
    start: Generator, training: SiteTraining
) -> tuple[Generator, dict[str, nn.Parameter]]:
    """Copy a generator to train the copy; return it with what trains."""
    generator = copy.deepcopy(start)
    parameters = select_trainable(generator, training.trainable)
    return generator.eval(), parameters


def rehearse(
    parameters: Mapping[str, nn.Parameter],
    loss: DiffusionLoss,
    training: SiteTraining,
    *,
    mechanism: SubsampledGaussian | None,
    steps: int,
    expected_patients: float,
    key: bytes,
) -> None:
    """Take steps round by round, as a study of this one site would.

    Each round starts with a new optimizer from what the one before sent.

    Args:
        parameters: What trains; changed in place.
        loss: Loss of one patient.
        training: How the site trains.
        mechanism: What protects the patients; ``None`` for an unprotected training.
        steps: How many steps; the last round is shorter where they do not fill it.
        expected_patients: Stand-in for the number of patients, chosen without looking at it.
        key: Secret of the run, 32 bytes.
    """
    for start in range(0, steps, training.round_steps):
        result = rehearse_round(
            parameters,
            loss,
            training,
            mechanism=mechanism,
            steps=min(training.round_steps, steps - start),
            expected_patients=expected_patients,
            secret=hashlib.sha256(key + f"round from step {start}".encode()).digest(),
        )
        with torch.no_grad():
            for name, value in result.tensors.items():
                parameters[name].copy_(value)


def rehearse_round(
    parameters: Mapping[str, nn.Parameter],
    loss: DiffusionLoss,
    training: SiteTraining,
    *,
    mechanism: SubsampledGaussian | None,
    steps: int,
    expected_patients: float,
    secret: bytes,
) -> TrainingResult:
    """Do what a site does in a round: from equal rows, weights and secret, to the same bytes.

    Args:
        parameters: What trains; changed in place.
        loss: Loss of one patient.
        training: How the site trains.
        mechanism: What protects the patients; ``None`` for an unprotected training.
        steps: Steps of this round.
        expected_patients: Stand-in for the number of patients.
        secret: The round's secret, 32 bytes.
    """
    if mechanism is None:
        return run_unprotected_steps(
            parameters,
            loss,
            population=len(loss.patients),
            sample_rate=training.privacy.sample_rate,
            steps=steps,
            descent=training.descent,
            stream=SecretStream(secret, "open training"),
        )
    return run_private_steps(
        parameters,
        loss,
        population=len(loss.patients),
        expected_patients=expected_patients,
        mechanism=replace(mechanism, steps=steps),
        clip_norm=training.privacy.clip_norm,
        descent=training.descent,
        stream=SecretStream(secret, "training"),
    )
