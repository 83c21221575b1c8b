"""Training the U-Net and the spatial adapter with every condition that fine-tuning uses."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import torch
from diffusers.training_utils import EMAModel
from numpy.typing import NDArray
from torch import Tensor

from ..condition_sampling import CAPTION_DROPOUT, SPATIAL_SHARE, random_spatial_conditions
from ..conditions import LABEL
from ..example import LatentRows
from ..generator import Generator
from ..objective import diffusion_loss, num_train_timesteps
from .examples import ExampleBank
from .pace import Pace
from .precision import mixed_precision
from .team import Team

_BATCH = 64
_EMA_DECAY = 0.999
#: How much a cell that a lesion touches counts, against 1, and how often an image with a small
#: lesion is drawn. In a head it fills three cells of a hundred, and one image in sixteen shows such
#: a head: a network that never drew one would hardly lose by it.
_LESION_WEIGHT = 4.0
_SMALL_LESION_CHANCE = 4.0
#: Share of an image's cells that a small lesion touches at most.
_SMALL_LESION_SHARE = 1 / 16
#: How often an image with a small lesion shows spatial conditions.
_SMALL_LESION_SPATIAL_SHARE = 0.7


def train_denoiser(
    generator: Generator,
    bank: ExampleBank,
    *,
    seconds: float,
    seed: int,
    learning_rate: float = 1e-3,
    team: Team | None = None,
    on_step: Callable[[int, float], None] | None = None,
    on_pause: Callable[[int], None] | None = None,
    pause_every: int = 500,
) -> None:
    """Fit U-Net and adapter; they end with the exponential moving average of their weights.

    The loss is :func:`diffusion_loss`, with more weight where there is a lesion, in bfloat16
    where the hardware multiplies that faster.

    Args:
        generator: Trained in place; its autoencoder must be trained already.
        bank: Images with captions, positions and masks.
        seconds: Time to train for.
        seed: Seed of every draw.
        learning_rate: Highest learning rate.
        team: The processes that train together, each with its own draws; this one without it.
        on_step: Called with (step, loss).
        on_pause: Called with the step every ``pause_every`` steps, the averaged weights in place.
        pause_every: See ``on_pause``.
    """
    team = team or Team()
    parameters = [*generator.unet.parameters(), *generator.adapter.parameters()]
    for parameter in parameters:
        parameter.requires_grad_(True)
    generator.unet.train()
    optimizer = torch.optim.AdamW(parameters, lr=learning_rate, weight_decay=1e-4)
    average = EMAModel(parameters, decay=_EMA_DECAY, use_ema_warmup=True, power=0.75)
    latents = _encode_all(generator, bank)
    lesion_cells = _touched_by_lesion(bank.masks, latents.shape[-1])
    weights = torch.where(torch.from_numpy(lesion_cells)[:, None], _LESION_WEIGHT, 1.0)
    small = lesion_cells.any((1, 2)) & (lesion_cells.mean((1, 2)) <= _SMALL_LESION_SHARE)
    chances = np.where(small, _SMALL_LESION_CHANCE, 1.0)
    chances /= chances.sum()
    rng = np.random.default_rng((seed, team.rank))
    torch_rng = torch.Generator().manual_seed(seed * team.size + team.rank)
    for step, rate in Pace(seconds, learning_rate, warm_up_steps=200, clock=team.clock):
        optimizer.param_groups[0]["lr"] = rate
        indices = rng.choice(len(bank), size=_BATCH, p=chances)
        rows = _rows(generator, bank, latents, indices, small[indices], rng)
        timesteps = torch.randint(num_train_timesteps(generator), (len(rows),), generator=torch_rng)
        noise = torch.randn(rows.latents.shape, generator=torch_rng)
        with mixed_precision(generator):
            loss = diffusion_loss(
                generator,
                rows.to(generator.device),
                timesteps.to(generator.device),
                noise.to(generator.device),
                weights[torch.from_numpy(indices)].to(generator.device),
            ).mean()
        optimizer.zero_grad()
        loss.backward()
        team.average_gradients(parameters)
        torch.nn.utils.clip_grad_norm_(parameters, 1.0)
        optimizer.step()
        average.step(parameters)
        if on_step:
            on_step(step, loss.item())
        if on_pause and (step + 1) % pause_every == 0:
            average.store(parameters)
            average.copy_to(parameters)
            on_pause(step + 1)
            average.restore(parameters)
    average.copy_to(parameters)
    generator.requires_grad_(False).eval()


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
