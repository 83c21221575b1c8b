"""Training on images in memory as a site trains on its own: the same private steps and loss."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor, nn

from ...model.example import LatentRows
from ...model.generator import Generator
from ...model.objective import diffusion_loss, num_train_timesteps
from ...privacy.descent import DescentSettings
from ...privacy.dp_sgd import TrainingResult, run_private_steps, run_unprotected_steps
from ...privacy.mechanism import SubsampledGaussian
from ...privacy.stream import SecretStream
from ..measures.image_sets import ImageSet
from ..memory.membership import encode_rows


@dataclass(frozen=True, kw_only=True, eq=False)
class ImageLoss:
    """The loss of one patient's images, as private training asks for it.

    Attributes:
        generator: The generator in training.
        rows: All images, encoded.
        owned: For each patient the indices of their images.
        draws: Draws that a patient's loss is averaged over.
    """

    generator: Generator
    rows: LatentRows
    owned: tuple[tuple[int, ...], ...]
    draws: int

    @classmethod
    def of(cls, generator: Generator, images: ImageSet, *, draws: int) -> ImageLoss:
        """Encode images; patients are known by their place in the order of their keys."""
        parts = encode_rows(generator, images)
        keys, owner = np.unique(np.array(images.patients), return_inverse=True)
        return cls(
            generator=generator,
            rows=LatentRows(
                latents=torch.cat([part.latents for part in parts]),
                text=torch.cat([part.text for part in parts]),
                position=torch.cat([part.position for part in parts]),
            ),
            owned=tuple(
                tuple(np.flatnonzero(owner == number).tolist()) for number in range(len(keys))
            ),
            draws=draws,
        )

    @property
    def module(self) -> Generator:
        """The module that holds the trained parameters."""
        return self.generator

    def __call__(self, patient: int, stream: SecretStream) -> Tensor:
        """Return the mean loss over the patient's draws, a scalar."""
        return self.row_losses(self.draw(patient, stream)).mean()

    def draw(self, patient: int, stream: SecretStream) -> tuple[Tensor, ...]:
        """Draw images, timesteps (one from each equal share) and noises of a patient."""
        owned = self.owned[patient]
        chosen = [owned[index] for index in stream.integers(0, len(owned), self.draws)]
        shares = (np.arange(self.draws) + stream.uniform(self.draws)) / self.draws
        steps = num_train_timesteps(self.generator)
        timesteps = torch.from_numpy((shares * steps).astype(np.int64))
        noise = stream.normal((self.draws, *self.generator.latent_shape))
        rows = self.rows.select(chosen)
        return rows.latents, rows.text, rows.position, timesteps, noise

    def row_losses(self, rows: tuple[Tensor, ...]) -> Tensor:
        """Return the loss of each row, ``[B]``, of one patient or of several joined."""
        latents, text, position, timesteps, noise = (
            part.to(self.generator.device) for part in rows
        )
        batch = LatentRows(latents=latents, text=text, position=position)
        return diffusion_loss(self.generator, batch, timesteps, noise)


def rehearse(
    parameters: Mapping[str, nn.Parameter],
    loss: ImageLoss,
    *,
    mechanism: SubsampledGaussian | None,
    sample_rate: float,
    steps: int,
    expected_patients: float,
    clip_norm: float,
    learning_rate: float,
    key: bytes,
) -> TrainingResult:
    """Train with a mechanism's privacy, or without any.

    Args:
        parameters: What trains; changed in place.
        loss: Loss of one patient.
        mechanism: What protects the patients; ``None`` for an unprotected training.
        sample_rate: Each patient's chance to be in a step.
        steps: Number of steps.
        expected_patients: Stand-in for the number of patients, chosen without looking at it.
        clip_norm: Largest norm of one patient's gradient.
        learning_rate: Learning rate of Adam.
        key: Secret of the run, 32 bytes.
    """
    descent = DescentSettings(learning_rate=learning_rate)
    stream = SecretStream(key, "rehearsal")
    if mechanism is None:
        return run_unprotected_steps(
            parameters,
            loss,
            population=len(loss.owned),
            sample_rate=sample_rate,
            steps=steps,
            descent=descent,
            stream=stream,
        )
    return run_private_steps(
        parameters,
        loss,
        population=len(loss.owned),
        expected_patients=expected_patients,
        mechanism=mechanism,
        clip_norm=clip_norm,
        descent=descent,
        stream=stream,
    )
