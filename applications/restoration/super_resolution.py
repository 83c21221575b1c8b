"""Finer pixels, with what is known of images as prior and the measured ones kept."""

from __future__ import annotations

import numpy as np
import torch
from numpy.typing import NDArray
from torch.nn import functional

from .denoiser import estimate_once
from .network import DenoisingNetwork
from .prior import Prior

Floats = NDArray[np.float32]

#: Noise levels of the generator's steps: the first invents, the second cleans up after it.
_LEVELS = (0.6, 0.3)
#: Noise that the network takes off, step by step.
_NOISE = np.geomspace(0.4, 0.02, 12)
#: Level and share of the generator's last word: it knows textures that the network smoothes.
_LAST_LEVEL, _LAST_SHARE = 0.2, 0.3
_PROJECTIONS = 8


def super_resolve(prior: Prior, network: DenoisingNetwork, images: Floats, factor: int) -> Floats:
    """Estimate images with finer pixels, each coarse pixel being the mean of those within it.

    DiffPIR (Zhu et al., arXiv 2305.08995) without its random part, from the bicubic enlargement: a
    step of a prior, then one that makes the result agree with the data, at falling noise levels.
    The generator goes first; then the denoising network is the prior, as in DPIR (Zhang et al.,
    arXiv 2008.13751). The data step is iterative back-projection (Irani & Peleg, 1991).

    Args:
        prior: The generator and what the images show.
        network: Takes off noise.
        images: ``[N, h, w]`` in [-1, 1].
        factor: Fine pixels along one side of a coarse one.

    Returns:
        ``[N, factor * h, factor * w]``, whose means over coarse pixels are the given ones.
    """
    fine = back_project(_enlarged(images, factor), images, factor)
    for level in _LEVELS:
        fine = back_project(prior.estimate(fine, level), images, factor)
    for noise in _NOISE:
        sigma = np.full(fine.shape[1:], noise, np.float32)
        cleaner = np.stack([estimate_once(network, image, sigma) for image in fine])
        fine = back_project(cleaner, images, factor)
    last = back_project(prior.estimate(fine, _LAST_LEVEL), images, factor)
    return fine + np.float32(_LAST_SHARE) * (last - fine)


def back_project(fine: Floats, coarse: Floats, factor: int) -> Floats:
    """Move fine images until their means over coarse pixels are the given values."""
    for _ in range(_PROJECTIONS):
        fine = fine + _enlarged(coarse - shrunk(fine, factor), factor)
    # What is left is spread evenly over the pixel: exact.
    residual = coarse - shrunk(fine, factor)
    return np.asarray(fine + residual.repeat(factor, axis=1).repeat(factor, axis=2), np.float32)


def shrunk(fine: Floats, factor: int) -> Floats:
    """Means over blocks of ``factor`` × ``factor`` pixels, ``[N, H / factor, W / factor]``."""
    count, height, width = fine.shape
    blocks = fine.reshape(count, height // factor, factor, width // factor, factor)
    return np.asarray(blocks.mean((2, 4)), np.float32)


def _enlarged(coarse: Floats, factor: int) -> Floats:
    batch = torch.from_numpy(np.ascontiguousarray(coarse, np.float32))[:, None]
    large = functional.interpolate(batch, scale_factor=factor, mode="bicubic")
    return np.asarray(large[:, 0].numpy())
