"""Training the autoencoder, on crops: it is convolutional, and crops cost a quarter."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import torch
from torch import Tensor
from torch.nn import functional

from ..generator import Generator, pack_pixels, unpack_pixels
from .critic import Critic
from .examples import ExampleBank
from .pace import Pace

_BATCH = 32
_KL_WEIGHT = 1e-6
_EDGE_WEIGHT = 0.5
_CRITIC_WEIGHT = 0.02
#: Share of the time after which the critic joins: before that, any blur is easy to see.
_CRITIC_FROM = 0.5


def train_autoencoder(
    generator: Generator,
    bank: ExampleBank,
    *,
    seconds: float,
    seed: int,
    learning_rate: float = 2e-3,
    on_step: Callable[[int, float], None] | None = None,
) -> None:
    """Fit the autoencoder and store the statistics of its latents in its configuration.

    The loss is the absolute error of pixels and of their gradients, which keeps edges, with a
    weak pull of latents towards a normal distribution (Kingma & Welling, arXiv 1312.6114). In
    the second half a critic that knows real patches keeps fine texture (Esser et al., arXiv
    2012.09841).

    Args:
        generator: Its autoencoder is trained in place.
        bank: Images to fit.
        seconds: Time to train for.
        seed: Seed of crops, flips and latent noise.
        learning_rate: Highest learning rate.
        on_step: Called with (step, loss).
    """
    autoencoder = generator.autoencoder.train().requires_grad_(True)
    optimizer = torch.optim.AdamW(autoencoder.parameters(), lr=learning_rate, weight_decay=0.0)
    rng = np.random.default_rng(seed)
    crop = max(32, generator.image_size // 2)
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(seed)
        critic = Critic(generator.device)
        pace = Pace(seconds, learning_rate)
        for step, rate in pace:
            optimizer.param_groups[0]["lr"] = rate
            images = _crops(bank, rng, _BATCH, min(crop, generator.image_size))
            images = images.to(generator.device)
            posterior = autoencoder.encode(pack_pixels(autoencoder, images)).latent_dist
            rebuilt = unpack_pixels(autoencoder, autoencoder.decode(posterior.sample()).sample)
            loss = reconstruction_loss(rebuilt, images)
            total = loss + _KL_WEIGHT * posterior.kl().mean()
            if pace.share >= _CRITIC_FROM:
                total = total + _CRITIC_WEIGHT * critic.doubt(rebuilt)
            optimizer.zero_grad()
            total.backward()
            torch.nn.utils.clip_grad_norm_(autoencoder.parameters(), 1.0)
            optimizer.step()
            if pace.share >= _CRITIC_FROM:
                critic.learn(images, rebuilt.detach())
            if on_step:
                on_step(step, loss.item())
    autoencoder.eval().requires_grad_(False)
    _store_latent_statistics(generator, bank, rng)


def reconstruction_loss(rebuilt: Tensor, images: Tensor) -> Tensor:
    """Mean absolute error of pixels plus that of horizontal and vertical differences."""
    loss = functional.l1_loss(rebuilt, images)
    for axis in (2, 3):
        loss = loss + _EDGE_WEIGHT * functional.l1_loss(
            rebuilt.diff(dim=axis), images.diff(dim=axis)
        )
    return loss


def _crops(bank: ExampleBank, rng: np.random.Generator, count: int, size: int) -> Tensor:
    height, width = bank.images.shape[1:]
    cut = np.empty((count, 1, size, size), np.float32)
    for row in range(count):
        image = bank.images[rng.integers(len(bank))]
        top, left = rng.integers(height - size + 1), rng.integers(width - size + 1)
        crop = image[top : top + size, left : left + size].astype(np.float32)
        crop = np.rot90(crop, int(rng.integers(4)))
        # Random contrast, so that modalities that the bank does not hold are rebuilt as well.
        gain, offset = rng.uniform(0.5, 1.2), rng.uniform(-0.3, 0.3)
        sign = -1.0 if rng.random() < 0.3 else 1.0
        cut[row, 0] = np.clip(sign * gain * crop + offset, -1.0, 1.0)
    return torch.from_numpy(cut)


def _store_latent_statistics(
    generator: Generator, bank: ExampleBank, rng: np.random.Generator
) -> None:
    """Mean and deviation per latent channel: the U-Net sees latents of unit variance."""
    rows = rng.choice(len(bank), min(512, len(bank)), replace=False)
    images = torch.from_numpy(bank.images[np.sort(rows)].astype(np.float32))[:, None]
    with torch.no_grad():
        pixels = pack_pixels(generator.autoencoder, images.to(generator.device))
        latents = generator.autoencoder.encode(pixels).latent_dist.mean
    generator.autoencoder.register_to_config(
        latents_mean=latents.mean((0, 2, 3)).tolist(),
        latents_std=latents.std((0, 2, 3)).clamp_min(1e-3).tolist(),
    )
