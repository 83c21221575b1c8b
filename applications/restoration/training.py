"""Training the denoising network on images that are nobody's: no privacy is spent here."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import torch
from diffusers.training_utils import EMAModel
from numpy.typing import NDArray
from torch import Tensor
from torch.nn import functional
from torch.nn.utils import convert_conv2d_weight_memory_format

from ...model.pretraining.pace import Duration, Pace
from .network import DenoisingNetwork

_BATCH = 8
_EMA_DECAY = 0.998
#: The gradient is cut to this norm, which is below nearly all: a single batch cannot do harm.
_GRADIENT = 1.0
#: Range of the noise's standard deviation; images have a range of 2.
_NOISE = (0.02, 0.6)
#: Share of the batches whose images are enlarged parts: larger scans are smoother.
_ENLARGED = 0.2
#: Share of the images with noise that differs from place to place.
_UNEVEN = 0.25
#: Share of the images with their own contrast.
_CONTRASTS = 0.4


def train_network(
    images: NDArray[np.floating],
    *,
    seconds: float,
    seed: int,
    learning_rate: float = 1.5e-3,
    on_step: Callable[[int, float], None] | None = None,
    on_pause: Callable[[DenoisingNetwork], None] | None = None,
    pause_every: int = 500,
) -> DenoisingNetwork:
    """Train a network from random weights; it ends with the moving average of its weights.

    The loss is minus the peak signal-to-noise ratio, so strong and weak noise count alike.

    Args:
        images: Clean images ``[N, H, W]`` in [-1, 1], square, sides a multiple of 8.
        seconds: Time to train for.
        seed: Seed of the first weights and of every draw.
        learning_rate: Highest learning rate.
        on_step: Called with (step, mean PSNR of the batch in dB).
        on_pause: Called with the network every ``pause_every`` steps and at the end, the averaged
            weights in place.
        pause_every: See ``on_pause``.
    """
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(seed)
        network = DenoisingNetwork()
    # Convolutions on a processor are faster with channels last.
    convert_conv2d_weight_memory_format(network.train(), torch.channels_last)
    parameters = list(network.parameters())
    optimizer = torch.optim.Adam(parameters, lr=learning_rate, betas=(0.9, 0.99))
    average = EMAModel(parameters, decay=_EMA_DECAY, use_ema_warmup=True, power=0.75)
    rng = np.random.default_rng(seed)
    for step, rate in Pace(Duration(seconds=seconds), learning_rate, batch=_BATCH):
        optimizer.param_groups[0]["lr"] = rate
        clean = _draw(images, rng)
        sigma = _draw_noise(clean.shape, rng)
        noise = torch.from_numpy(rng.standard_normal(clean.shape, np.float32))
        error = (network(clean + sigma * noise, sigma) - clean).square().mean((1, 2, 3))
        loss = 10.0 * torch.log10(error + 1e-6).mean()
        optimizer.zero_grad()
        loss.backward()
        torch.nn.utils.clip_grad_norm_(parameters, _GRADIENT)
        optimizer.step()
        average.step(parameters)
        if on_step:
            on_step(step, 10.0 * float(np.log10(4.0)) - loss.item())
        if on_pause and (step + 1) % pause_every == 0:
            average.store(parameters)
            average.copy_to(parameters)
            on_pause(network)
            average.restore(parameters)
    average.copy_to(parameters)
    if on_pause:
        on_pause(network)
    return network.eval().requires_grad_(False)


def _draw(images: NDArray[np.floating], rng: np.random.Generator) -> Tensor:
    """Draw images ``[B, 1, H, W]``, turned and mirrored, some of them with another contrast."""
    patches = images[rng.integers(len(images), size=_BATCH)].astype(np.float32)
    rotations = [np.rot90(image, int(rng.integers(4))) for image in patches]
    batch = np.stack([image[:, ::-1] if rng.random() < 0.5 else image for image in rotations])
    for row in np.flatnonzero(rng.random(_BATCH) < _CONTRASTS):
        gain, offset = rng.uniform(0.4, 1.3), rng.uniform(-0.4, 0.4)
        sign = -1.0 if rng.random() < 0.3 else 1.0
        batch[row] = np.clip(sign * gain * batch[row] + offset, -1.0, 1.0)
    clean = torch.from_numpy(batch)[:, None]
    if rng.random() < _ENLARGED:
        size = clean.shape[2]
        part = int(rng.integers(size // 4, size))
        top, left = rng.integers(size - part + 1, size=2)
        cut = clean[:, :, top : top + part, left : left + part]
        clean = functional.interpolate(cut, (size, size), mode="bicubic").clamp(-1.0, 1.0)
    return clean.contiguous(memory_format=torch.channels_last)


def _draw_noise(shape: torch.Size, rng: np.random.Generator) -> Tensor:
    """Draw maps of the noise's standard deviation."""
    sigma = np.ones(shape, np.float32) * rng.uniform(*_NOISE, (shape[0], 1, 1, 1))
    coarse = torch.from_numpy(rng.uniform(0.2, 1.0, (shape[0], 1, 4, 4)))
    uneven = functional.interpolate(coarse, shape[2:], mode="bilinear").numpy()
    uneven[rng.random(shape[0]) >= _UNEVEN] = 1.0
    return torch.from_numpy((sigma * uneven).astype(np.float32))
