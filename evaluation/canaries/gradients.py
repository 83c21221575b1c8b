"""Planted gradients: what the private steps themselves give away to who sees each of them.

A made-up patient need not be an image: the promise holds for whatever gradient a patient may
have. The worst one points along a single weight that no other patient moves much, with the
clip norm as its length ("Dirac canary": Nasr et al. 2023, arXiv 2302.07956; Steinke et al. 2023,
arXiv 2305.08846). The auditor sees every step, as the coordinator sees every round, and adds up
what each canary's weight was moved by. This proves far more than images in a finished generator
can, and tests drawing, clipping and noise as sites run them.
"""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from torch import Tensor, nn

from ...common.progress import Progress, no_progress
from ...errors import ConfigurationError
from ...privacy.descent import DescentSettings
from ...privacy.dp_sgd import run_private_steps, run_unprotected_steps
from ...privacy.gradients import PatientLoss
from ...privacy.mechanism import SubsampledGaussian
from ...privacy.stream import SecretStream
from .audit import Audit
from .audited import AuditedTraining
from .image_rows import image_loss


@dataclass(frozen=True, kw_only=True, eq=False)
class _Weight:
    """One number among the trained parameters."""

    parameter: nn.Parameter
    index: int

    def value(self) -> Tensor:
        return self.parameter.reshape(-1)[self.index]


@dataclass(frozen=True, kw_only=True, eq=False)
class PlantedGradients:
    """The loss of real patients and of canaries, as training asks for it.

    Attributes:
        real: Loss of the real patients, numbered from 0.
        patients: How many they are.
        weights: The weight of each planted canary, numbered after them.
        size: Length of a canary's gradient.
    """

    real: PatientLoss
    patients: int
    weights: tuple[_Weight, ...]
    size: float

    def __call__(self, patient: int, stream: SecretStream) -> Tensor:
        """Return a patient's loss; a canary's is linear in its weight, so its gradient is known."""
        if patient < self.patients:
            return self.real(patient, stream)
        return self.size * self.weights[patient - self.patients].value()


def audit_steps(
    subject: AuditedTraining,
    *,
    canaries: int,
    guesses: int,
    on_progress: Progress = no_progress,
) -> Audit:
    """Plant gradients, take steps, see each of them, and guess.

    Args:
        subject: The training whose steps are looked at.
        canaries: Made-up patients, each planted with chance one half.
        guesses: How many of them are guessed.
        on_progress: Told about the progress.

    Raises:
        ConfigurationError: If there are more canaries than trained numbers, or more guesses.
    """
    generator, parameters = subject.open_copy()
    privacy, mechanism = subject.training.privacy, subject.mechanism
    size = sum(parameter.numel() for parameter in parameters.values())
    if not guesses <= canaries <= size:
        raise ConfigurationError(
            f"{guesses} guesses were asked for about {canaries} gradients of {size} numbers.",
            hint="Plant at most one gradient for each trained number, and guess no more.",
        )
    rng = np.random.default_rng((subject.seed, 15))
    weights = _weights(parameters, rng.choice(size, canaries, replace=False))
    is_planted = rng.random(canaries) < 0.5
    real, patients = subject.real, subject.real.patient_count
    among = image_loss(generator, real, subject.training.loss) if len(real) else None
    loss = PlantedGradients(
        # Without real patients nobody is numbered below the canaries.
        real=among or _nobody,
        patients=patients,
        weights=tuple(one for one, there in zip(weights, is_planted, strict=True) if there),
        size=privacy.clip_norm,
    )
    # Plain steps of length one: the auditor reads the noised sums from the weights. What the
    # sites' optimizer makes of these sums is a function of them, and gives away no more.
    descent = DescentSettings(learning_rate=1.0, optimizer="sgd")
    stream = SecretStream(hashlib.sha256(f"gradients {subject.seed}".encode()).digest(), "audit")
    scores = np.zeros(canaries)
    for number in range(subject.steps):
        on_progress("stepping among planted gradients", number, subject.steps)
        before = _values(weights)
        if mechanism is None:
            run_unprotected_steps(
                parameters,
                loss,
                population=patients + len(loss.weights),
                sample_rate=privacy.sample_rate,
                steps=1,
                descent=descent,
                stream=stream.child(f"audited step {number}"),
            )
        else:
            run_private_steps(
                parameters,
                loss,
                population=patients + len(loss.weights),
                expected_patients=subject.expected_patients(canaries),
                mechanism=SubsampledGaussian(mechanism.sample_rate, mechanism.noise_multiplier, 1),
                clip_norm=privacy.clip_norm,
                descent=descent,
                stream=stream.child(f"audited step {number}"),
            )
        scores += before - _values(weights)
    return subject.judge(scores, is_planted, guesses=guesses)


def _weights(
    parameters: Mapping[str, nn.Parameter], places: NDArray[np.int64]
) -> tuple[_Weight, ...]:
    tensors = list(parameters.values())
    ends = np.cumsum([tensor.numel() for tensor in tensors])
    owners = np.searchsorted(ends, places, side="right")
    return tuple(
        _Weight(parameter=tensors[owner], index=int(place - (ends[owner] - tensors[owner].numel())))
        for place, owner in zip(places, owners, strict=True)
    )


def _values(weights: tuple[_Weight, ...]) -> NDArray[np.float64]:
    return np.array([float(weight.value().detach()) for weight in weights])


def _nobody(patient: int, stream: SecretStream) -> Tensor:
    raise IndexError(patient)
