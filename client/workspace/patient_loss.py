"""A patient's loss: the mean over a few draws of slice, timestep, noise and conditions.

Every draw comes from the patient's own part of a step's secret stream. So the loss is a pure
function of weights, scans and secret, and one patient's draws say nothing of another's.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor

from ...model.conditions import SPATIAL_CHANNELS
from ...model.example import LatentRows
from ...model.generator import Generator
from ...model.objective import diffusion_loss, num_train_timesteps
from ...privacy.stream import SecretStream
from ..settings import LocalSettings
from .latents import LatentCache


@dataclass(frozen=True, kw_only=True, eq=False)
class DiffusionLoss:
    """The loss of one patient, as private training asks for it.

    Attributes:
        generator: The generator in training.
        latents: The site's encoded images.
        patients: Keys of the patients; a patient is known by its place in this list.
        draws: Draws that a patient's loss is averaged over.
        settings: Range of the timesteps.
    """

    generator: Generator
    latents: LatentCache
    patients: Sequence[str]
    draws: int
    settings: LocalSettings

    @property
    def module(self) -> Generator:
        """The module that holds the trained parameters."""
        return self.generator

    def __call__(self, patient: int, stream: SecretStream) -> Tensor:
        """Return the mean loss over the patient's draws, a scalar."""
        return self.row_losses(self.draw(patient, stream)).mean()

    def draw(self, patient: int, stream: SecretStream) -> tuple[Tensor, ...]:
        """Draw a patient's rows.

        Returns:
            Latents, text, position, spatial conditions, timesteps and noise, each ``[K, …]``.
        """
        key = self.patients[patient]
        chosen = spread_choice(stream, self.latents.count(key), self.draws)
        timesteps = spread_timesteps(
            stream,
            self.draws,
            low=self.settings.timestep_low,
            high=self.settings.timestep_high,
            steps=num_train_timesteps(self.generator),
        )
        noise = stream.normal((self.draws, *self.generator.latent_shape))
        # Which conditions are shown needs no secrecy of its own: a seed from the stream will do.
        rows = self.latents.rows(key, chosen, rng=np.random.default_rng(stream.torch_seed()))
        size = self.generator.image_size
        spatial = rows.spatial
        if spatial is None:
            spatial = torch.zeros(self.draws, SPATIAL_CHANNELS, size, size)
        return rows.latents, rows.text, rows.position, spatial, timesteps, noise

    def row_losses(self, rows: tuple[Tensor, ...]) -> Tensor:
        """Return the loss of each row, ``[B]``, of one patient or of several joined."""
        latents, text, position, spatial, timesteps, noise = (
            part.to(self.generator.device) for part in rows
        )
        batch = LatentRows(latents=latents, text=text, position=position, spatial=spatial)
        return diffusion_loss(self.generator, batch, timesteps, noise)


def spread_choice(stream: SecretStream, population: int, draws: int) -> list[int]:
    """Draw indices in random order, none again before all have been drawn."""
    order = np.argsort(stream.uniform(population), kind="stable")
    return [int(index) for index in np.resize(order, draws)]


def spread_timesteps(
    stream: SecretStream, draws: int, *, low: float, high: float, steps: int
) -> Tensor:
    """Draw timesteps uniformly from a part of the noise schedule, one from each equal share.

    Together they cover the range evenly, so their mean loss varies less than that of
    independent draws (the stratified sampling of Kingma et al., arXiv 2107.00630, I.1).

    Args:
        stream: Where the randomness comes from.
        draws: How many.
        low: Lower end as a share of the schedule.
        high: Upper end as a share of the schedule.
        steps: Timesteps of the schedule.

    Returns:
        Long ``[draws]`` in [0, steps).
    """
    shares = (np.arange(draws) + stream.uniform(draws)) / draws
    timesteps = np.floor((low + (high - low) * shares) * steps)
    return torch.from_numpy(np.clip(timesteps, 0, steps - 1).astype(np.int64))
