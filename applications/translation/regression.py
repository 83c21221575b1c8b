"""Regression networks from images to images."""

from __future__ import annotations

import torch
from monai.networks.nets import BasicUNet
from torch import Tensor, nn
from torch.nn import functional
from torch.nn.utils import convert_conv2d_weight_memory_format

from ...common.progress import Progress, no_progress

_BATCH = 16
#: Images that the final statistics are taken from.
_MEASURED = 512


def build_unet(seed: int = 0) -> nn.Module:
    """Build a U-Net (MONAI's BasicUNet) from ``[B, 1, H, W]`` to the same.

    Height and width are multiples of 16.
    """
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(seed)
        return BasicUNet(
            spatial_dims=2,
            in_channels=1,
            out_channels=1,
            features=(16, 16, 32, 64, 128, 16),
            # Instance norm would rescale a slice by how much of it is background.
            norm="batch",
            # Transposed convolutions leave a chequerboard.
            upsample="nontrainable",
        )


def fit(
    network: nn.Module,
    inputs: Tensor,
    targets: Tensor,
    *,
    steps: int,
    learning_rate: float = 2e-3,
    seed: int = 0,
    on_progress: Progress = no_progress,
    what: str = "steps",
) -> None:
    """Fit a network to the least absolute error, in place.

    Args:
        network: ``[B, 1, H, W]`` to the same.
        inputs: Its inputs ``[N, 1, H, W]``.
        targets: What it shall answer, ``[N, 1, H, W]``.
        steps: Optimiser steps; the learning rate falls to zero over them.
        learning_rate: At the start.
        seed: Seed of the batches.
        on_progress: Told after each step.
        what: What it is told to be.
    """
    # Convolutions on a processor are faster by half with channels last.
    convert_conv2d_weight_memory_format(network.train(), torch.channels_last)
    optimizer = torch.optim.AdamW(network.parameters(), lr=learning_rate, weight_decay=1e-4)
    schedule = torch.optim.lr_scheduler.CosineAnnealingLR(optimizer, steps)
    rng = torch.Generator().manual_seed(seed)
    for step in range(steps):
        rows = torch.randint(len(inputs), (_BATCH,), generator=rng)
        loss = functional.l1_loss(network(inputs[rows]), targets[rows])
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
        schedule.step()
        on_progress(what, step + 1, steps)
    _measure_statistics(network, inputs[torch.randperm(len(inputs), generator=rng)[:_MEASURED]])
    convert_conv2d_weight_memory_format(network.eval(), torch.contiguous_format)


@torch.no_grad()
def _measure_statistics(network: nn.Module, inputs: Tensor) -> None:
    """Give batch norms the statistics of many images under the final weights.

    Their running means lag behind the weights and weigh the last few batches most (Wu & Johnson,
    arXiv 2105.07576); here that moved whole backgrounds by 10 HU.
    """
    for layer in network.modules():
        if isinstance(layer, nn.BatchNorm2d):
            layer.reset_running_stats()
            layer.momentum = None  # the plain mean over all batches that follow
    for part in inputs.split(_BATCH):
        network(part)


@torch.no_grad()
def answer(network: nn.Module, inputs: Tensor) -> Tensor:
    """Return the network's answers ``[N, 1, H, W]`` to inputs alike."""
    return torch.cat([network(part) for part in inputs.split(64)])


def answer_both_ways(network: nn.Module, inputs: Tensor) -> Tensor:
    """Return the mean of the answers to images and to their mirror images, as :func:`answer`."""
    return (answer(network, inputs) + answer(network, inputs.flip(3)).flip(3)) / 2
