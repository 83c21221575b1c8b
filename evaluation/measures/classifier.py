"""The small convolutional network that measures what synthetic images teach.

Its shape and training are fixed and the same for real and for synthetic images: tuning
them on held-out patients would inflate the very number it is there to measure.
"""

from __future__ import annotations

import copy

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn
from torch.nn import functional

from .moved import random_grid

#: Larger images are shrunk to this side length, so that scores do not depend on it.
_PIXELS = 64
_BATCH = 32
_LEARNING_RATE = 3e-3
#: Of a network that has learnt before: it is to keep most of that.
_LATER_RATE = 1e-3
_WEIGHT_DECAY = 1e-2
#: A Gaussian of this many pixels changes nothing.
_NO_BLUR = 0.05


def train_classifier(
    images: NDArray[np.float32],
    labels: NDArray[np.int64],
    *,
    classes: int,
    steps: int,
    seed: int,
    is_extra: NDArray[np.bool_] | None = None,
    start: nn.Module | None = None,
) -> nn.Module:
    """Train on batches with every class equally likely.

    Args:
        images: ``[N, H, W]`` in [-1, 1].
        labels: ``[N]`` in [0, classes), each class present.
        classes: Number of classes.
        steps: Optimizer steps.
        seed: Seed of weights, batches and augmentation.
        is_extra: Which images are added to the others, ``[N]``, for example synthetic to real
            ones: in each class they are drawn as often as the others, however many they are.
        start: A network to go on from, of as many classes; it is not changed. A new one by default.

    Returns:
        The network, in evaluation mode: ``[B, 1, h, w]`` to logits ``[B, classes]``.
    """
    pictures = _prepare(images)
    targets = torch.from_numpy(labels)
    kinds = targets if is_extra is None else targets + classes * torch.from_numpy(is_extra).long()
    chances = (1.0 / torch.bincount(kinds))[kinds]
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(seed)
        network = _network(classes) if start is None else copy.deepcopy(start)
        rate = _LEARNING_RATE if start is None else _LATER_RATE
        optimizer = torch.optim.AdamW(network.parameters(), lr=rate, weight_decay=_WEIGHT_DECAY)
        schedule = torch.optim.lr_scheduler.OneCycleLR(optimizer, rate, steps)
        network.train()
        for _ in range(steps):
            batch = torch.multinomial(chances, _BATCH, replacement=True)
            logits = network(_augment(pictures[batch]))
            loss = functional.cross_entropy(logits, targets[batch], label_smoothing=0.05)
            optimizer.zero_grad()
            loss.backward()
            optimizer.step()
            schedule.step()
    return network.eval()


def predict(network: nn.Module, images: NDArray[np.float32]) -> NDArray[np.float64]:
    """Class probabilities ``[N, K]`` of images ``[N, H, W]`` in [-1, 1]."""
    with torch.inference_mode():
        logits = torch.cat([network(batch) for batch in _prepare(images).split(256)])
    return logits.double().softmax(dim=1).numpy()


def _network(classes: int) -> nn.Module:
    layers: list[nn.Module] = []
    channels = 1
    for width in (16, 32, 64, 96):
        first = channels == 1
        layers.append(
            nn.Conv2d(channels, width, 3, padding=1, stride=2 if first else 1, bias=False)
        )
        if not first:
            layers.append(nn.MaxPool2d(2))
        layers += [nn.BatchNorm2d(width), nn.ReLU()]
        channels = width
    head = [nn.AdaptiveAvgPool2d(1), nn.Flatten(), nn.Dropout(0.2), nn.Linear(channels, classes)]
    # Channels last, and pooling before the norm: half the time on a CPU.
    network = nn.Sequential(*layers, *head)
    return network.to(memory_format=torch.channels_last)  # type: ignore[call-overload, no-any-return]


def _prepare(images: NDArray[np.float32]) -> Tensor:
    """Shrink to 64 pixels and give every image mean 0 and variance 1."""
    stack = torch.from_numpy(np.ascontiguousarray(images))[:, None]
    if max(stack.shape[-2:]) > _PIXELS:
        stack = functional.interpolate(stack, size=_PIXELS, mode="bilinear", antialias=True)
    deviation, mean = torch.std_mean(stack, dim=(2, 3), keepdim=True)
    return (stack - mean) / deviation.clamp_min(1e-3)


def _augment(images: Tensor) -> Tensor:
    """Blur, turn up to 6°, scale and shift up to 6 %, add noise."""
    images = _blur(images)
    grid = random_grid(images.shape, degrees=6, share=0.06)
    image = functional.grid_sample(
        images, grid, mode="bilinear", padding_mode="border", align_corners=False
    )
    return image + 0.1 * torch.randn_like(image)


def _blur(images: Tensor) -> Tensor:
    """Blur half of the images by a Gaussian of up to one pixel.

    Synthetic images are less sharp than real ones, and between two classes that differ in
    sharpness a network would otherwise look at little else (nnU-Net blurs for the same
    reason, Isensee et al., Nature Methods 2021).
    """
    count = len(images)
    widths = torch.rand(count, 1) * (torch.rand(count, 1) < 0.5)
    offsets = torch.arange(-2.0, 3.0)
    kernels = torch.exp(-0.5 * (offsets / widths.clamp_min(_NO_BLUR)) ** 2)
    kernels /= kernels.sum(dim=1, keepdim=True)
    # Each image is a channel of its own, so that each has its own kernel.
    stack = functional.pad(images, (2, 2, 2, 2), mode="replicate").transpose(0, 1)
    stack = functional.conv2d(stack, kernels[:, None, None, :], groups=count)
    return functional.conv2d(stack, kernels[:, None, :, None], groups=count).transpose(0, 1)
