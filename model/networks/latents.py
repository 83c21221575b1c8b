"""How an autoencoder's latents become what the U-Net draws: their scale, and what each counts."""

from __future__ import annotations

import hashlib
import math

import torch
from torch import Tensor

from .block_autoencoder import BlockAutoencoder
from .pixels import Autoencoder


def packing(autoencoder: Autoencoder, channels: int) -> int:
    """Side of the block of an autoencoder's cells that a U-Net of so many channels sees as one.

    With fewer channels than the autoencoder has, a U-Net draws the first ones, cell by cell.
    """
    return math.isqrt(max(1, channels // autoencoder.config.latent_channels))


def latent_statistics(autoencoder: Autoencoder, device: torch.device) -> tuple[Tensor, Tensor]:
    """Return what is taken from a latent, and what it is divided by, each ``[1, C, 1, 1]``."""
    config = autoencoder.config
    if config.latents_mean is not None:
        shift = torch.tensor(config.latents_mean, device=device)
        scale = torch.tensor(config.latents_std, device=device)
    else:
        shift = torch.tensor([config.shift_factor or 0.0], device=device)
        scale = torch.tensor([1.0 / config.scaling_factor], device=device)
    return shift.view(1, -1, 1, 1), scale.view(1, -1, 1, 1)


def channel_weights(autoencoder: Autoencoder, channels: int, device: torch.device) -> Tensor | None:
    """How much an error of each drawn channel counts in training, ``[C, 1, 1]``, mean 1.

    In proportion to what it changes in the pixels. By its square, as the pixels' own error
    would have it, texture stays grain; all alike, blocks show. ``None`` where the change is not
    known: an autoencoder of blocks has orthonormal channels, others have not.
    """
    config = autoencoder.config
    if not isinstance(autoencoder, BlockAutoencoder) or config.latents_std is None:
        return None
    change = torch.tensor(config.latents_std, device=device)[:channels]
    return (change / change.mean()).view(-1, 1, 1)


def latents_digest(autoencoder: Autoencoder, channels: int) -> str:
    """SHA-256 over all that decides about an image's latent: what cached ones are keyed by."""
    digest = hashlib.sha256()
    for name, tensor in sorted(autoencoder.state_dict().items()):
        digest.update(name.encode())
        digest.update(tensor.detach().cpu().contiguous().numpy().tobytes())
    statistics = latent_statistics(autoencoder, autoencoder.device)
    digest.update(repr((statistics, packing(autoencoder, channels))).encode())
    if channels < autoencoder.config.latent_channels:
        digest.update(repr(channels).encode())
    return digest.hexdigest()
