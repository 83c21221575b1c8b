"""Warm-up: move the public base towards noised mean images, before any private step.

The base's own samples for a group are public images. Adding the difference between the
group's private mean (noised at the sites) and the samples' mean gives images with the right
coarse appearance and the base's variety. Training on them is post-processing: it costs no
privacy beyond the means, and may train far more parameters than private steps could.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np
import torch
from numpy.typing import NDArray
from scipy.ndimage import gaussian_filter, zoom
from torch import nn

from ...common.progress import Progress, no_progress
from ..condition_sampling import CAPTION_DROPOUT
from ..example import LatentRows
from ..generator import Generator
from ..objective import diffusion_loss, num_train_timesteps
from ..sampling import sample
from .group_means import RESOLUTION, GroupMean, pool

_BATCH = 32
#: Width of the filter on a group's difference, in cells of its coarse mean.
_SMOOTHING_CELLS = 0.7
#: Brightness, in [0, 1], below which a cell shows no body.
_DARK = 0.06


def moved_samples(
    generator: Generator, means: Sequence[GroupMean], *, images: int, seed: int
) -> LatentRows:
    """Draw public images and move them to the groups' means.

    Args:
        generator: The public base.
        means: Noised group means.
        images: How many images in all, shared among groups as the data are.
        seed: Seed of the samples.

    Returns:
        Latents with their captions and positions, ready to train on.
    """
    counts = [max(8, round(images * mean.share)) for mean in means]
    captions = [
        mean.group.description().caption()
        for mean, count in zip(means, counts, strict=True)
        for _ in range(count)
    ]
    positions = [
        mean.group.position for mean, count in zip(means, counts, strict=True) for _ in range(count)
    ]
    samples = sample(
        generator, captions, positions=positions, guidance_scale=1.0, steps=8, seed=seed
    )
    start = 0
    for mean, count in zip(means, counts, strict=True):
        samples[start : start + count] = _move(samples[start : start + count], mean)
        start += count
    latents = torch.cat(
        [
            generator.encode(part[:, None])
            for part in torch.from_numpy(samples).split(2 * generator.images_at_once)
        ]
    )
    rows = LatentRows(
        latents=latents, text=generator.embed(captions), position=torch.tensor(positions)
    )
    return rows.to(generator.device)


def train_on_moved_samples(
    generator: Generator,
    parameters: Mapping[str, nn.Parameter],
    rows: LatentRows,
    *,
    steps: int,
    learning_rate: float,
    seed: int,
    on_progress: Progress = no_progress,
) -> None:
    """Fit the parameters to the moved samples, in place.

    Args:
        generator: The generator that the parameters belong to.
        parameters: What may change.
        rows: Result of :func:`moved_samples`.
        steps: Optimiser steps.
        learning_rate: Learning rate, falling linearly to zero.
        seed: Seed of batches, timesteps and noise.
        on_progress: Told after each step.
    """
    optimizer = torch.optim.AdamW(list(parameters.values()), lr=learning_rate, weight_decay=0.0)
    rng = torch.Generator().manual_seed(seed)
    nothing = generator.embed([""])[0]
    for step in range(steps):
        optimizer.param_groups[0]["lr"] = learning_rate * (1.0 - step / steps)
        batch = rows.select(torch.randint(len(rows), (_BATCH,), generator=rng))
        without_text = torch.rand(_BATCH, generator=rng) < CAPTION_DROPOUT
        batch.text[without_text] = nothing
        timesteps = torch.randint(num_train_timesteps(generator), (_BATCH,), generator=rng)
        noise = torch.randn(batch.latents.shape, generator=rng)
        device = generator.device
        loss = diffusion_loss(generator, batch, timesteps.to(device), noise.to(device)).mean()
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
        on_progress("steps", step + 1, steps)


def _move(images: NDArray[np.float32], mean: GroupMean) -> NDArray[np.float32]:
    current = np.stack([pool(image) for image in images])
    # Means of many patients are smooth and their noise is not: smoothing takes most of it away.
    difference = gaussian_filter(mean.image - current.mean(0), _SMOOTHING_CELLS)
    # James-Stein: the difference is trusted as far as it exceeds what noise alone would show.
    noise_variance = mean.noise_deviation**2 + float(current.var(0).mean()) / len(images)
    noise_variance *= _noise_left(difference.shape)
    trust = max(0.0, 1.0 - noise_variance / max(float((difference**2).mean()), 1e-12))
    # Where both are dark there is nobody, and a difference is noise.
    somebody = np.maximum(current.mean(0), mean.image) > _DARK
    factor = images.shape[1] / RESOLUTION
    step = np.where(somebody, 2.0 * trust * difference, 0.0)
    shift = zoom(step, factor, order=1, mode="nearest", grid_mode=True)
    return np.clip(images + shift.astype(np.float32), -1.0, 1.0)


def _noise_left(shape: tuple[int, ...]) -> float:
    """Return the share of independent noise's variance that is left after the smoothing."""
    impulse = np.zeros(shape)
    impulse[tuple(side // 2 for side in shape)] = 1.0
    return float((gaussian_filter(impulse, _SMOOTHING_CELLS) ** 2).sum())
