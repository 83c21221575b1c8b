"""How much images of one prompt differ, and how well the autoencoder keeps an image."""

from __future__ import annotations

from collections.abc import Callable, Sequence

import numpy as np
import torch
from monai.metrics import MultiScaleSSIMMetric, PSNRMetric, SSIMMetric
from numpy.typing import NDArray

from ...model.description import Description
from .prompts import topic
from .results import Reconstruction

_RANGE = 2.0  # images span [-1, 1]
#: The first three scales of Wang et al. 2003, as 64 pixels leave no room for five.
_WEIGHTS = tuple(weight / (0.0448 + 0.2856 + 0.3001) for weight in (0.0448, 0.2856, 0.3001))
_KERNEL = 7
_SMALLEST = (_KERNEL - 1) * 4 + 1


def ms_ssim(
    images: NDArray[np.float32],
    descriptions: Sequence[Description],
    *,
    seed: int,
    pairs: int = 256,
) -> float | None:
    """Mean multi-scale structural similarity of random pairs that show the same.

    A value above that of real images means that the generator repeats itself; below it,
    that its images are noisy or incoherent.

    Args:
        images: ``[N, H, W]`` in [-1, 1].
        descriptions: What each shows; pairs share modality, plane, body part, view, finding.
        seed: Seed of the pairs.
        pairs: Number of pairs.

    Returns:
        Mean over the pairs in [0, 1]; ``None`` if no two images show the same or the images
        are too small for three scales.
    """
    if min(images.shape[1:]) < _SMALLEST:
        return None
    members: dict[Description, list[int]] = {}
    for index, description in enumerate(descriptions):
        members.setdefault(topic(description), []).append(index)
    groups = [group for group in members.values() if len(group) > 1]
    if not groups:
        return None
    rng = np.random.default_rng((seed, 2))
    sizes = np.array([len(group) for group in groups])
    draws = rng.choice(len(groups), size=pairs, p=sizes / sizes.sum())
    indices = np.array([rng.choice(groups[group], 2, replace=False) for group in draws])
    stack = torch.from_numpy(images[:, None])
    metric = MultiScaleSSIMMetric(2, data_range=_RANGE, kernel_size=_KERNEL, weights=_WEIGHTS)
    values = metric(stack[indices[:, 0]], stack[indices[:, 1]])
    return float(torch.as_tensor(values).mean())


def reconstruction(
    images: NDArray[np.float32],
    autoencode: Callable[[NDArray[np.float32]], NDArray[np.float32]],
) -> Reconstruction:
    """Measure what is lost by encoding and decoding held-out images.

    Args:
        images: ``[N, H, W]`` in [-1, 1].
        autoencode: Encodes and decodes a stack of images.
    """
    real = torch.from_numpy(images[:, None])
    again = torch.from_numpy(autoencode(images)[:, None]).clamp(-1, 1)
    psnr = PSNRMetric(max_val=_RANGE)(again, real)
    ssim = SSIMMetric(2, data_range=_RANGE, win_size=_KERNEL)(again, real)
    return Reconstruction(
        psnr=float(torch.as_tensor(psnr).clamp(max=100.0).mean()),  # identical images: infinite
        ssim=float(torch.as_tensor(ssim).mean()),
        images=len(images),
    )
