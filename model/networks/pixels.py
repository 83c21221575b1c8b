"""Images as an autoencoder takes and gives them: grey as colour, or blocks as channels."""

from __future__ import annotations

import math
from typing import TypeAlias

from diffusers import AutoencoderKL
from torch import Tensor
from torch.nn import functional

from .block_autoencoder import BlockAutoencoder

#: fedscan's own autoencoder, or one of diffusers, such as Stable Diffusion's.
Autoencoder: TypeAlias = BlockAutoencoder | AutoencoderKL
#: Channels of an autoencoder for colour images, such as Stable Diffusion's.
_RGB = 3


def pack_pixels(autoencoder: Autoencoder, images: Tensor) -> Tensor:
    """Give images ``[B, 1, H, W]`` the channels that an autoencoder takes.

    One for RGB sees the grey image three times. One with P² channels sees each block of P×P
    pixels as one pixel (space to depth).
    """
    channels = int(autoencoder.config.in_channels)
    if channels == _RGB:
        return images.expand(-1, channels, -1, -1)
    return functional.pixel_unshuffle(images, math.isqrt(channels))


def unpack_pixels(autoencoder: Autoencoder, pixels: Tensor) -> Tensor:
    """Undo :func:`pack_pixels`: what an autoencoder decoded, as images ``[B, 1, H, W]``."""
    channels = int(autoencoder.config.out_channels)
    if channels == _RGB:
        return pixels.mean(1, keepdim=True)
    return functional.pixel_shuffle(pixels, math.isqrt(channels))
