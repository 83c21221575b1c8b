"""Training the autoencoder, on crops: it is convolutional, and crops cost a quarter."""

from __future__ import annotations

import math
from pathlib import Path

import numpy as np
import torch
from torch import Tensor
from torch.nn import functional

from ..generator import Generator
from ..networks.block_autoencoder import BlockAutoencoder, principal_components
from .averages import Averages
from .checkpoint import Checkpoint
from .examples import ExampleBank
from .pace import Duration, Pace
from .watch import Watch

_BATCH = 32
_CROP = 64
#: Images from which the linear part is found, and those from which latents are scaled.
_COMPONENTS_FROM = 2000
_SCALED_FROM = 512
#: Noise on latents, in units of pixel values: what the denoiser leaves must not show.
_LATENT_NOISE = 0.01
#: Error below which a crop has nothing more to teach: air and black borders.
_NO_ERROR = 3e-5
#: The range of pixel values, squared: the peak of a PSNR.
_PEAK = 4.0
#: Share of the crops taken at half the images' size, so that both are rebuilt alike.
_HALVED = 0.4


def train_autoencoder(
    generator: Generator,
    bank: ExampleBank,
    duration: Duration,
    *,
    seed: int,
    state: Path,
    learning_rate: float = 1e-3,
    watch: Watch | None = None,
    pause_every: int = 500,
) -> None:
    """Fit the autoencoder and store the statistics of its latents in its configuration.

    It begins with the principal components of the images' blocks. The loss is the logarithm of
    each crop's squared error, minus its PSNR: dark and bright, smooth and rough modalities then
    count alike, and none is paid for by another.

    Args:
        generator: Its :class:`BlockAutoencoder` is trained in place.
        bank: Images to fit.
        duration: When it ends, images and time before a stop included.
        seed: Seed of crops, flips and latent noise. A step's come from it and the step's number.
        state: File that keeps the state of the training, and from which it goes on.
        learning_rate: Highest learning rate.
        watch: Told every step's loss.
        pause_every: Steps after which the state is kept.

    Raises:
        DataError: If ``state`` cannot be read, or is of another training.
    """
    autoencoder = generator.autoencoder
    assert isinstance(autoencoder, BlockAutoencoder)
    autoencoder.train().requires_grad_(True)
    _set_components(autoencoder, bank, seed)
    parameters = list(autoencoder.parameters())
    optimizer = torch.optim.AdamW(parameters, lr=learning_rate, weight_decay=0.0, betas=(0.9, 0.99))
    averages = Averages(parameters)
    pace = Pace(duration, learning_rate, batch=_BATCH)
    checkpoint = Checkpoint(state, parameters, optimizer, averages)
    checkpoint.restore(pace)
    for step, rate in pace:
        optimizer.param_groups[0]["lr"] = rate
        rng = np.random.default_rng((seed, step))
        images = _crops(bank, rng, _BATCH).to(generator.device)
        latents = autoencoder.encode(images).latent_dist.mode()
        noise = torch.from_numpy(rng.standard_normal(latents.shape, np.float32))
        rebuilt = autoencoder.decode(latents + _LATENT_NOISE * noise.to(latents.device)).sample
        loss = rebuilding_loss(rebuilt, images)
        optimizer.zero_grad()
        loss.backward()
        torch.nn.utils.clip_grad_norm_(parameters, 1.0)
        optimizer.step()
        averages.step(step + 1)
        if watch:
            watch.rebuilt(pace, loss.item())
        if (step + 1) % pause_every == 0:
            checkpoint.save(pace)
    judging_crops = [
        _crops(bank, np.random.default_rng((seed, 0, number)), _BATCH) for number in range(4)
    ]
    averages.settle(lambda: _mean_loss(autoencoder, judging_crops, generator.device))
    autoencoder.eval().requires_grad_(False)
    _store_latent_statistics(generator, bank, np.random.default_rng(seed))


def rebuilding_loss(rebuilt: Tensor, images: Tensor) -> Tensor:
    """Return minus the mean PSNR of images ``[B, 1, H, W]`` in [-1, 1], in dB."""
    errors = (rebuilt - images).square().flatten(1).mean(1)
    return 10.0 / math.log(10.0) * torch.log((errors + _NO_ERROR) / _PEAK).mean()


@torch.no_grad()
def _mean_loss(autoencoder: BlockAutoencoder, crops: list[Tensor], device: torch.device) -> float:
    losses = []
    for images in crops:
        latents = autoencoder.encode(images.to(device)).latent_dist.mode()
        rebuilt = autoencoder.decode(latents).sample
        losses.append(float(rebuilding_loss(rebuilt, images.to(device))))
    return sum(losses) / len(losses)


def _set_components(autoencoder: BlockAutoencoder, bank: ExampleBank, seed: int) -> None:
    rng = np.random.default_rng(seed)
    indices = rng.choice(len(bank), min(_COMPONENTS_FROM, len(bank)), p=bank.chances)
    images = torch.from_numpy(bank.images[np.unique(indices)].astype(np.float32))[:, None]
    config = autoencoder.config
    autoencoder.set_components(principal_components(images, config.block, config.latent_channels))


def _crops(bank: ExampleBank, rng: np.random.Generator, count: int) -> Tensor:
    """Cut turned and mirrored parts ``[count, 1, h, w]`` out of images, of other contrast."""
    side = min(_CROP, bank.images.shape[1])
    cut = np.empty((count, 1, side, side), np.float32)
    for row, index in enumerate(rng.choice(len(bank), count, p=bank.chances)):
        image = bank.images[index].astype(np.float32)
        if rng.random() < _HALVED and image.shape[0] >= 2 * side:
            halves = functional.avg_pool2d(torch.from_numpy(image)[None], 2)
            image = halves[0].numpy()
        top, left = rng.integers(image.shape[0] - side + 1, size=2)
        crop = np.rot90(image[top : top + side, left : left + side], int(rng.integers(4)))
        if rng.random() < 0.5:
            crop = crop[:, ::-1]
        # Random contrast, so that modalities that the bank does not hold are rebuilt as well.
        gain, offset = rng.uniform(0.6, 1.2), rng.uniform(-0.2, 0.2)
        sign = -1.0 if rng.random() < 0.2 else 1.0
        cut[row, 0] = np.clip(sign * gain * crop + offset, -1.0, 1.0)
    return torch.from_numpy(cut)


def _store_latent_statistics(
    generator: Generator, bank: ExampleBank, rng: np.random.Generator
) -> None:
    """Centre each channel, and divide it by the root of its deviation.

    Divided by the deviation itself, texture, which no neighbour tells, would count as much as
    structure; as it is, it would not count at all. Structure then comes out of the noise first
    and texture last. All channels together have unit variance.
    """
    indices = rng.choice(len(bank), min(_SCALED_FROM, len(bank)), replace=False, p=bank.chances)
    images = torch.from_numpy(bank.images[np.sort(indices)].astype(np.float32))[:, None]
    with torch.no_grad():
        latents = generator.autoencoder.encode(images.to(generator.device)).latent_dist.mode()
    deviations = latents.std((0, 2, 3)).clamp_min(1e-3)
    generator.autoencoder.register_to_config(
        latents_mean=latents.mean((0, 2, 3)).tolist(),
        latents_std=(deviations.sqrt() * deviations.mean().sqrt()).tolist(),
    )
