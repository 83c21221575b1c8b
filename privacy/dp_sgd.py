"""Training that protects each patient, and the unprotected training it is compared with.

Both are pure functions of the starting weights, the data and the stream's secret: a round that
is repeated gives the same bytes. What they return holds weights and public numbers only: losses,
gradient norms, the sizes of the draws and how many patients were clipped are functions of the
patients without noise, so they are neither returned nor logged.
"""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping
from dataclasses import dataclass

import torch
from torch import Tensor, nn

from ..errors import PrivacyError
from .descent import Descent, DescentSettings
from .distributed.link import Link
from .engines import Engine, choose_engine
from .gradients import (
    ROWS_AT_ONCE,
    BatchedPatientLoss,
    PatientLoss,
    joined,
    loss_gradient,
    patient_chunks,
    patient_stream,
)
from .mechanism import SubsampledGaussian
from .noise import release
from .sampling import poisson_sample
from .stream import SecretStream


@dataclass(frozen=True, kw_only=True, eq=False)
class TrainingResult:
    """What a run of steps gives.

    Attributes:
        tensors: New values of the trained parameters, by name; detached copies.
        private: Whether the mechanism below protects the patients. If not, the tensors must
            not leave the site.
        mechanism: What was run; ``None`` without privacy.
    """

    tensors: dict[str, Tensor]
    private: bool
    mechanism: SubsampledGaussian | None


def run_private_steps(
    parameters: Mapping[str, nn.Parameter],
    loss: PatientLoss,
    *,
    population: int,
    expected_patients: float,
    mechanism: SubsampledGaussian,
    clip_norm: float,
    descent: DescentSettings,
    stream: SecretStream,
    engine: Engine = "auto",
    rows_at_once: int | None = None,
    link: Link | None = None,
) -> TrainingResult:
    """Train with patient-level DP-SGD (Abadi et al. 2016, arXiv:1607.00133).

    Each step draws every patient independently with the mechanism's sample rate, clips each
    drawn patient's gradient as one vector, adds Gaussian noise to their sum, and divides by
    ``sample_rate * expected_patients``. A draw of nobody still adds noise.

    Args:
        parameters: What trains; changed in place.
        loss: Loss of one patient.
        population: Number of patients. It is private, and used for the draw only.
        expected_patients: Public stand-in for the population, which sets the scale of the step.
            Everybody sees that scale, so it must be declared without looking, or carry noise
            itself (see :func:`~fedscan.privacy.gaussian_sum.private_count`).
        mechanism: Sample rate, noise and number of steps; paid for beforehand.
        clip_norm: Largest Euclidean norm of one patient's gradient.
        descent: Optimizer and learning rate.
        stream: Secret randomness of this run alone; never used again for another.
        engine: How per-patient gradients are computed.
        rows_at_once: Rows of one pass at most. The last bits of a gradient may depend on it, so a
            run that is repeated must have the same.
        link: To the processes of further devices, if patients are shared out to any. Draws, noise
            and optimizer stay in this one.

    Returns:
        The new weights, with ``private=True``.

    Raises:
        ModelError: If one of several devices failed.
        PrivacyError: If the mechanism has no noise, a number is out of range, or the engine
            cannot handle the loss.
    """
    if mechanism.noise_multiplier == 0:
        raise PrivacyError(
            "Private training was asked for without noise.",
            hint="For a comparison on data that needs no protection there is "
            "run_unprotected_steps.",
        )
    if not 0 < expected_patients < math.inf:
        raise PrivacyError(
            f"expected_patients is {expected_patients!r}.",
            hint="It must be positive and finite.",
        )
    gradients = choose_engine(engine, parameters, loss, rows_at_once, link)
    follow = Descent(parameters, descent)
    for number in range(mechanism.steps):
        step = stream.child(f"step {number}")
        sample = poisson_sample(step.child("sample"), population, mechanism.sample_rate)
        total = gradients.clipped_sum(parameters, sample, loss, clip_norm, step.child("loss"))
        deviation = mechanism.noise_multiplier * clip_norm
        noisy = release(total, deviation, step.child("noise"))
        follow.step(noisy / (mechanism.sample_rate * expected_patients))
    return TrainingResult(tensors=follow.result(), private=True, mechanism=mechanism)


def run_unprotected_steps(
    parameters: Mapping[str, nn.Parameter],
    loss: PatientLoss,
    *,
    population: int,
    sample_rate: float,
    steps: int,
    descent: DescentSettings,
    stream: SecretStream,
    rows_at_once: int = ROWS_AT_ONCE,
) -> TrainingResult:
    """Train without clipping and noise, to compare with; it protects nobody.

    Draws patients as private training does, from equal streams the same ones with the same
    rows, and follows the mean of their gradients. A step that draws nobody does nothing.

    Args:
        parameters: What trains; changed in place.
        loss: Loss of one patient.
        population: Number of patients.
        sample_rate: Each patient's chance to be in a step.
        steps: How many steps.
        descent: Optimizer and learning rate.
        stream: Randomness.
        rows_at_once: Rows of one pass at most.

    Returns:
        The new weights, with ``private=False``.

    Raises:
        PrivacyError: If a number is out of range.
    """
    follow = Descent(parameters, descent)
    for number in range(steps):
        step = stream.child(f"step {number}")
        sample = poisson_sample(step.child("sample"), population, sample_rate)
        draws = step.child("loss")
        if sample:
            follow.step(_mean_gradient(parameters, loss, sample, draws, rows_at_once))
    return TrainingResult(tensors=follow.result(), private=False, mechanism=None)


def _mean_gradient(
    parameters: Mapping[str, nn.Parameter],
    loss: PatientLoss,
    patients: list[int],
    stream: SecretStream,
    rows_at_once: int,
) -> Tensor:
    tensors = list(parameters.values())
    sums = [torch.zeros_like(tensor) for tensor in tensors]
    for value in _losses(loss, patients, stream, rows_at_once):
        for total, gradient in zip(sums, loss_gradient(value, tensors), strict=True):
            if gradient is not None:
                total.add_(gradient)
    return torch.cat([total.reshape(-1) for total in sums]) / len(patients)


def _losses(
    loss: PatientLoss, patients: list[int], stream: SecretStream, rows_at_once: int
) -> Iterator[Tensor]:
    """Yield sums of patients' losses; without clipping, patients can share a backward pass."""
    if not isinstance(loss, BatchedPatientLoss):
        for patient in patients:
            yield loss(patient, patient_stream(stream, patient))
        return
    for chunk in patient_chunks(patients, loss, stream, rows_at_once):
        yield loss.row_losses(joined(chunk)).mean() * len(chunk)
