"""A segmenter that learns anatomy from real images with masks.

A small U-Net (Ronneberger et al. 2015, arXiv 1505.04597, in MONAI's form) trained with Dice and
cross-entropy. The Dice is of a whole batch, as most images lack a lesion and would teach never to
find one; images with what few images have are drawn more often, and rare classes' pixels weigh
more in the cross-entropy. It sees real training images only, so what it says of a synthetic one is
judged by real anatomy.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np
import torch
from monai.losses import DiceLoss
from monai.networks.nets import UNet
from numpy.typing import NDArray
from torch import Tensor, nn
from torch.nn import functional

from ...common.progress import Progress, no_progress
from ...model.conditions import MASK_CLASSES
from ..measures.moved import random_grid

_CLASSES = len(MASK_CLASSES) + 1
_CHANNELS = (16, 32, 64, 96)
_MULTIPLE = 2 ** (len(_CHANNELS) - 1)
_BATCH = 16
_LEARNING_RATE = 3e-3
#: Most times as often as a common image that a rare one is drawn, and as much as a common class
#: that a pixel of a rare one weighs.
_MOST_OFTEN = 10.0


@dataclass(frozen=True, kw_only=True)
class Segmented:
    """What a segmenter found.

    Attributes:
        masks: uint8 ``[N, H, W]``, label maps.
        doubt: float32 ``[N]``: mean entropy of the pixels' classes, in [0, 1]; images unlike
            all real ones leave it in doubt.
    """

    masks: NDArray[np.uint8]
    doubt: NDArray[np.float32]


def build_segmenter() -> nn.Module:
    """The network, untrained: ``[B, 1, H, W]`` to logits ``[B, 1 + classes, H, W]``."""
    network: nn.Module = UNet(
        spatial_dims=2,
        in_channels=1,
        out_channels=_CLASSES,
        channels=_CHANNELS,
        strides=(2,) * (len(_CHANNELS) - 1),
        num_res_units=1,
    )
    return network


def train_segmenter(
    images: NDArray[np.float32],
    masks: NDArray[np.uint8],
    *,
    steps: int,
    seed: int,
    on_progress: Progress = no_progress,
) -> nn.Module:
    """Train a segmenter.

    Args:
        images: ``[N, H, W]`` in [-1, 1].
        masks: Label maps ``[N, H, W]``.
        steps: Optimizer steps.
        seed: Seed of weights, batches and augmentation.
        on_progress: Told about the progress.

    Returns:
        The network, in evaluation mode.
    """
    pictures = _padded(torch.from_numpy(images)[:, None])
    truth = _padded(torch.from_numpy(masks)[:, None])
    dice = DiceLoss(to_onehot_y=True, softmax=True, batch=True)
    chances = torch.from_numpy(_chances(masks))
    weights = torch.from_numpy(_pixel_weights(masks))
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(seed)
        network = build_segmenter()
        optimizer = torch.optim.AdamW(network.parameters(), _LEARNING_RATE)
        schedule = torch.optim.lr_scheduler.OneCycleLR(optimizer, _LEARNING_RATE, steps)
        network.train()
        for step in range(steps):
            batch = torch.multinomial(chances, _BATCH, replacement=True)
            inputs, targets = _augment(pictures[batch], truth[batch])
            prediction = network(inputs)
            loss = dice(prediction, targets) + functional.cross_entropy(
                prediction, targets[:, 0].long(), weights
            )
            optimizer.zero_grad()
            loss.backward()
            optimizer.step()
            schedule.step()
            if step % 10 == 0:
                on_progress("training the segmenter", step, steps)
    return network.eval()


def segment(network: nn.Module, images: NDArray[np.float32]) -> Segmented:
    """Segment images ``[N, H, W]`` in [-1, 1]."""
    height, width = images.shape[1:]
    masks, doubts = [], []
    with torch.inference_mode():
        for batch in torch.from_numpy(np.ascontiguousarray(images))[:, None].split(64):
            logs = network(_padded(batch))[..., :height, :width].log_softmax(dim=1)
            masks.append(logs.argmax(dim=1).to(torch.uint8))
            doubts.append(-(logs.exp() * logs).sum(dim=1).mean(dim=(1, 2)) / math.log(_CLASSES))
    return Segmented(masks=torch.cat(masks).numpy(), doubt=torch.cat(doubts).numpy())


def _chances(masks: NDArray[np.uint8]) -> NDArray[np.float64]:
    """Weigh each image by its rarest class: as if every class were in as many images, ``[N]``."""
    has_class = np.stack([(masks == value).any(axis=(1, 2)) for value in range(_CLASSES)], axis=1)
    share = np.maximum(has_class.mean(axis=0), 1e-9)
    often = np.minimum(1 / share, _MOST_OFTEN)
    chances: NDArray[np.float64] = np.where(has_class, often, 0).max(axis=1)
    return chances


def _pixel_weights(masks: NDArray[np.uint8]) -> NDArray[np.float32]:
    """Weigh each class by the root of how rare its pixels are; 1 for a class without any."""
    share = np.bincount(masks.ravel(), minlength=_CLASSES)[:_CLASSES] / masks.size
    rare = np.minimum(1 / np.sqrt(np.maximum(share, 1e-9)), _MOST_OFTEN)
    return np.where(share > 0, rare, 1.0).astype(np.float32)


def _padded(images: Tensor) -> Tensor:
    """Add rows and columns, background, up to a multiple of what the network halves."""
    height, width = images.shape[-2:]
    rows, columns = -height % _MULTIPLE, -width % _MULTIPLE
    background = 0.0 if images.dtype == torch.uint8 else -1.0
    return functional.pad(images, (0, columns, 0, rows), value=background)


def _augment(images: Tensor, masks: Tensor) -> tuple[Tensor, Tensor]:
    """Turn by up to 8°, scale and shift by up to 8 %, vary brightness and noise."""
    count = len(images)
    grid = random_grid(images.shape, degrees=8, share=0.08)
    # Beyond the edge is background, which is -1 in the image and 0 in the mask.
    image = functional.grid_sample(images + 1, grid, mode="bilinear", align_corners=False) - 1
    labels = functional.grid_sample(masks.float(), grid, mode="nearest", align_corners=False)
    gain = torch.empty(count, 1, 1, 1).uniform_(0.85, 1.15)
    noise = torch.empty(count, 1, 1, 1).uniform_(0, 0.08) * torch.randn_like(image)
    return image * gain + noise, labels.to(torch.uint8)
