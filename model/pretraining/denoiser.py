"""Training the U-Net and the spatial adapter with every condition that fine-tuning uses."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from ..condition_sampling import CAPTION_DROPOUT, SPATIAL_SHARE, random_spatial_conditions
from ..conditions import LABEL
from ..example import LatentRows
from ..generator import Generator
from ..objective import diffusion_loss
from .averages import Averages
from .checkpoint import Checkpoint
from .examples import ExampleBank
from .pace import Duration, Pace
from .precision import mixed_precision
from .team import Team
from .timesteps import central_timesteps
from .watch import Watch

_BATCH = 64
#: How much a cell that a lesion touches counts, against 1, and how often an image with a small
#: lesion is drawn. In a head it fills three cells of a hundred, and one image in sixteen shows such
#: a head: a network that never drew one would hardly lose by it.
_LESION_WEIGHT = 4.0
_SMALL_LESION_CHANCE = 4.0
#: Share of an image's cells that a small lesion touches at most.
_SMALL_LESION_SHARE = 1 / 16
#: How often an image with a small lesion shows spatial conditions.
_SMALL_LESION_SPATIAL_SHARE = 0.7
#: Images put aside to choose the average by; never more than a tenth of all.
_JUDGED = 256


def train_denoiser(
    generator: Generator,
    bank: ExampleBank,
    duration: Duration,
    *,
    seed: int,
    state: Path,
    learning_rate: float = 1e-3,
    team: Team | None = None,
    watch: Watch | None = None,
    on_pause: Callable[[int], None] | None = None,
    pause_every: int = 500,
) -> None:
    """Fit U-Net and adapter; they end with the best average of their weights.

    The loss is :func:`diffusion_loss`, with more weight where there is a lesion, in bfloat16
    where the hardware multiplies that faster. Timesteps are drawn around the middle of the noise
    schedule (:func:`central_timesteps`).

    Args:
        generator: Trained in place; its autoencoder must be trained already.
        bank: Images with captions, positions, masks and chances.
        duration: When it ends, images and time before a stop included.
        seed: Seed of every draw. A step's draws come from it and the step's number alone.
        state: File that keeps the state of the training, and from which it goes on.
        learning_rate: Highest learning rate.
        team: The processes that train together, each with its own draws; this one without it.
        watch: Told every step's losses.
        on_pause: Called with the step every ``pause_every`` steps, the averaged weights in place.
        pause_every: See ``on_pause``.

    Raises:
        DataError: If ``state`` cannot be read, or is of another training.
    """
    team = team or Team()
    parameters = [*generator.unet.parameters(), *generator.adapter.parameters()]
    for parameter in parameters:
        parameter.requires_grad_(True)
    generator.unet.train()
    optimizer = torch.optim.AdamW(parameters, lr=learning_rate, weight_decay=1e-4)
    averages = Averages(parameters)
    batches = _Batches(generator, bank, seed, team.rank)
    pace = Pace(
        duration, learning_rate, batch=_BATCH * team.size, warm_up_steps=200, clock=team.clock
    )
    checkpoint = Checkpoint(state, parameters, optimizer, averages)
    checkpoint.restore(pace)
    for step, rate in pace:
        optimizer.param_groups[0]["lr"] = rate
        losses, timesteps = batches.losses(step)
        optimizer.zero_grad()
        losses.mean().backward()
        team.average_gradients(parameters)
        torch.nn.utils.clip_grad_norm_(parameters, 1.0)
        optimizer.step()
        averages.step(step + 1)
        if watch:
            watch.denoised(pace, losses.detach(), timesteps)
        if (step + 1) % pause_every == 0:
            if team.leads:
                checkpoint.save(pace)
            if on_pause:
                with averages.in_place(0):
                    on_pause(step + 1)
    averages.settle(batches.judge)
    generator.requires_grad_(False).eval()


class _Batches:
    """The batches of every step, and the images that averages are judged by."""

    def __init__(self, generator: Generator, bank: ExampleBank, seed: int, rank: int) -> None:
        self._generator, self._bank = generator, bank
        self._seed, self._rank = seed, rank
        self._latents = _encode_all(generator, bank)
        has_lesion = _touched_by_lesion(bank.masks, self._latents.shape[-1])
        self._weights = torch.where(torch.from_numpy(has_lesion)[:, None], _LESION_WEIGHT, 1.0)
        self._small = has_lesion.any((1, 2)) & (has_lesion.mean((1, 2)) <= _SMALL_LESION_SHARE)
        chances = np.where(self._small, _SMALL_LESION_CHANCE, 1.0) * bank.chances
        order = np.random.default_rng(seed).permutation(len(bank))
        self._held_out = np.sort(order[: min(_JUDGED, len(bank) // 10)])
        chances[self._held_out] = 0.0
        self._chances = chances / chances.sum()

    def losses(self, step: int) -> tuple[Tensor, Tensor]:
        """Return the losses of a step's images, ``[B]``, and their timesteps."""
        rng = np.random.default_rng((self._seed, self._rank, step))
        indices = rng.choice(len(self._bank), size=_BATCH, p=self._chances)
        return self._losses(indices, rng)

    @torch.no_grad()
    def judge(self) -> float:
        """Return the mean loss over the images put aside; of all drawn ones without any."""
        rng = np.random.default_rng((self._seed, 0))
        indices = (
            self._held_out if len(self._held_out) else np.arange(min(len(self._bank), _JUDGED))
        )
        parts = [
            self._losses(indices[start : start + _BATCH], rng)[0]
            for start in range(0, len(indices), _BATCH)
        ]
        return float(torch.cat(parts).mean())

    def _losses(
        self, indices: NDArray[np.int64], rng: np.random.Generator
    ) -> tuple[Tensor, Tensor]:
        generator = self._generator
        rows = _rows(generator, self._bank, self._latents, indices, self._small[indices], rng)
        draws = torch.Generator().manual_seed(int(rng.integers(2**63)))
        timesteps = central_timesteps(generator, len(rows), draws)
        noise = torch.randn(rows.latents.shape, generator=draws)
        with mixed_precision(generator):
            losses = diffusion_loss(
                generator,
                rows.to(generator.device),
                timesteps.to(generator.device),
                noise.to(generator.device),
                self._weights[torch.from_numpy(indices)].to(generator.device),
            )
        return losses, timesteps


def _encode_all(generator: Generator, bank: ExampleBank) -> Tensor:
    parts = []
    for start in range(0, len(bank), 256):
        images = torch.from_numpy(bank.images[start : start + 256].astype(np.float32))[:, None]
        parts.append(generator.encode(images).cpu())
    return torch.cat(parts)


def _touched_by_lesion(masks: NDArray[np.uint8], cells: int) -> NDArray[np.bool_]:
    """Which latent cells a lesion touches, ``[N, cells, cells]``."""
    side = masks.shape[1] // cells
    blocks = (masks == LABEL["lesion"]).reshape(len(masks), cells, side, cells, side)
    return np.asarray(blocks.any((2, 4)))


def _rows(
    generator: Generator,
    bank: ExampleBank,
    latents: Tensor,
    indices: NDArray[np.int64],
    small: NDArray[np.bool_],
    rng: np.random.Generator,
) -> LatentRows:
    captions = [
        "" if rng.random() < CAPTION_DROPOUT else str(bank.captions[index]) for index in indices
    ]
    spatial = [
        random_spatial_conditions(
            rng,
            bank.images[index].astype(np.float32),
            bank.masks[index] if bank.masks[index].any() else None,
            share=_SMALL_LESION_SPATIAL_SHARE if lesion else SPATIAL_SHARE,
        )
        for index, lesion in zip(indices, small, strict=True)
    ]
    return LatentRows(
        latents=latents[torch.from_numpy(indices)],
        text=generator.embed(captions),
        position=torch.from_numpy(bank.positions[indices]),
        spatial=torch.from_numpy(np.stack(spatial)),
    )
