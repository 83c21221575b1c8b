"""A patient's loss: the mean over a few draws of slice, timestep, noise and conditions.

Every draw comes from the patient's own part of a step's stream. So the loss is a pure function of
weights, images and stream, and one patient's draws say nothing of another's. A site trains on its
cached latents with it, and an audit on images in memory: where rows come from differs, and nothing
else does.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Protocol

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from .conditions import SPATIAL_CHANNELS
from .example import LatentRows
from .generator import Generator
from .objective import diffusion_loss, num_train_timesteps


class Draws(Protocol):
    """A stream of random numbers that only its owner knows; each call uses some of it up."""

    def uniform(self, count: int) -> NDArray[np.float64]:
        """Return numbers in [0, 1), ``[count]``."""
        ...

    def normal(self, shape: Sequence[int]) -> Tensor:
        """Return standard normal numbers, float32."""
        ...

    def torch_seed(self) -> int:
        """Return a seed for draws that need no secrecy of their own."""
        ...


class RowSource(Protocol):
    """Patients' encoded images, by the patients' keys."""

    def count(self, key: str) -> int:
        """Return how many rows a patient has."""
        ...

    def rows(self, key: str, indices: Sequence[int], *, rng: np.random.Generator) -> LatentRows:
        """Return some of a patient's rows, repetition allowed, with conditions as in training.

        Which conditions they show is drawn by :func:`~.training_rows.conditioned_rows`.
        """
        ...


@dataclass(frozen=True, kw_only=True)
class LossSettings:
    """What a patient's loss is the mean of.

    Attributes:
        draws: Draws of slice, timestep, noise and conditions.
        timestep_low: Lowest timestep, as a share of the noise schedule.
        timestep_high: Highest timestep, as a share of the noise schedule.
    """

    draws: int
    timestep_low: float = 0.0
    timestep_high: float = 1.0


@dataclass(frozen=True, kw_only=True, eq=False)
class DiffusionRowLosses:
    """The losses of rows, whosever they are.

    Attributes:
        generator: The generator in training.
    """

    generator: Generator

    @property
    def module(self) -> Generator:
        """The module that holds the trained parameters."""
        return self.generator

    def row_losses(self, rows: tuple[Tensor, ...]) -> Tensor:
        """Return the loss of each row, ``[B]``, of one patient or of several joined."""
        latents, text, position, spatial, timesteps, noise = (
            part.to(self.generator.device) for part in rows
        )
        batch = LatentRows(latents=latents, text=text, position=position, spatial=spatial)
        return diffusion_loss(self.generator, batch, timesteps, noise)


@dataclass(frozen=True, kw_only=True, eq=False)
class DiffusionLoss(DiffusionRowLosses):
    """The loss of one patient, as private training asks for it.

    Attributes:
        source: The patients' encoded images.
        patients: Keys of the patients; a patient is known by its place in this list.
        settings: How many draws, and the range of the timesteps.
    """

    source: RowSource
    patients: Sequence[str]
    settings: LossSettings

    def __call__(self, patient: int, stream: Draws) -> Tensor:
        """Return the mean loss over the patient's draws, a scalar."""
        return self.row_losses(self.draw(patient, stream)).mean()

    def draw(self, patient: int, stream: Draws) -> tuple[Tensor, ...]:
        """Draw a patient's rows.

        Returns:
            Latents, text, position, spatial conditions, timesteps and noise, each ``[K, …]``.
        """
        key, draws = self.patients[patient], self.settings.draws
        indices = spread_choice(stream, self.source.count(key), draws)
        timesteps = spread_timesteps(
            stream,
            draws,
            low=self.settings.timestep_low,
            high=self.settings.timestep_high,
            steps=num_train_timesteps(self.generator),
        )
        noise = stream.normal((draws, *self.generator.latent_shape))
        # Which conditions are shown needs no secrecy of its own: a seed from the stream will do.
        rows = self.source.rows(key, indices, rng=np.random.default_rng(stream.torch_seed()))
        size = self.generator.image_size
        spatial = rows.spatial
        if spatial is None:
            spatial = torch.zeros(draws, SPATIAL_CHANNELS, size, size)
        return rows.latents, rows.text, rows.position, spatial, timesteps, noise


def spread_choice(stream: Draws, population: int, draws: int) -> list[int]:
    """Draw indices in random order, none again before all have been drawn."""
    order = np.argsort(stream.uniform(population), kind="stable")
    return [int(index) for index in np.resize(order, draws)]


def spread_timesteps(stream: Draws, draws: int, *, low: float, high: float, steps: int) -> Tensor:
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
