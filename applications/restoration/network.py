"""A network that takes white noise of known strength off images of any kind and size."""

from __future__ import annotations

import torch
from torch import Tensor, nn
from torch.nn import functional

#: Feature maps of every level; alike, so that the finest level gets most of the work.
_FEATURES = 64
#: Residual blocks on the way down and up at each level, the coarsest last.
_BLOCKS = (2, 1, 1)
#: Height and width must be multiples of this: pixels are folded once and halved twice.
_MULTIPLE = 8


class DenoisingNetwork(nn.Module):
    """DRUNet (Zhang et al., IEEE TPAMI 44, 2022; arXiv 2008.13751), small.

    A residual U-Net of the noisy image and a map of the noise. No layer has a bias, so what holds
    at one noise level holds at others (Mohan et al., arXiv 1906.05478). Unlike DRUNet it works on
    pixels folded two by two (as FFDNet: Zhang et al., arXiv 1710.04026), at a quarter of the cost.
    """

    def __init__(self) -> None:
        super().__init__()
        self.head = _convolution(2 * 4, _FEATURES)
        self.down = nn.ModuleList(_blocks(count) for count in _BLOCKS)
        self.shrink = nn.ModuleList(
            nn.Conv2d(_FEATURES, _FEATURES, 2, stride=2, bias=False) for _ in _BLOCKS[1:]
        )
        self.grow = nn.ModuleList(
            nn.ConvTranspose2d(_FEATURES, _FEATURES, 2, stride=2, bias=False) for _ in _BLOCKS[1:]
        )
        self.up = nn.ModuleList(_blocks(count) for count in _BLOCKS[:-1])
        self.tail = _convolution(_FEATURES, 4)

    def forward(self, noisy: Tensor, sigma: Tensor) -> Tensor:
        """Estimate clean images.

        Args:
            noisy: ``[B, 1, H, W]``, about [-1, 1].
            sigma: Standard deviation of the noise in each pixel, likewise.

        Returns:
            ``[B, 1, H, W]``.
        """
        height, width = noisy.shape[2:]
        pad = (0, -width % _MULTIPLE, 0, -height % _MULTIPLE)
        # Without biases darkness must be zero, as it is to the eye.
        inputs = functional.pad(torch.cat([noisy + 1, sigma], 1), pad, mode="replicate")
        at = self.head(functional.pixel_unshuffle(inputs, 2))
        skips = []
        for level, blocks in enumerate(self.down):
            at = blocks(at)
            if level < len(self.shrink):
                skips.append(at)
                at = self.shrink[level](at)
        for level in reversed(range(len(self.up))):
            at = self.up[level](self.grow[level](at) + skips[level])
        noise = functional.pixel_shuffle(self.tail(at), 2)
        return noisy - noise[:, :, :height, :width]


class _Residual(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.first = _convolution(_FEATURES, _FEATURES)
        self.second = _convolution(_FEATURES, _FEATURES)
        # Blocks begin as nothing, which keeps the first steps stable (Zhang et al., 1901.09321).
        nn.init.zeros_(self.second.weight)

    def forward(self, features: Tensor) -> Tensor:
        residual: Tensor = self.second(functional.relu(self.first(features)))
        return features + residual


def _blocks(count: int) -> nn.Sequential:
    return nn.Sequential(*(_Residual() for _ in range(count)))


def _convolution(inputs: int, outputs: int) -> nn.Conv2d:
    return nn.Conv2d(inputs, outputs, 3, padding=1, bias=False)
