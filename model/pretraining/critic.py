"""A critic of patches, with which an autoencoder learns texture that pixel errors blur away."""

from __future__ import annotations

import torch
from monai.losses import PatchAdversarialLoss
from monai.networks.nets import PatchDiscriminator
from torch import Tensor

_CHANNELS = 24
_LAYERS = 2
_LEARNING_RATE = 4e-4


class Critic:
    """Tells rebuilt patches from real ones (PatchGAN: Isola et al., arXiv 1611.07004).

    Least-squares losses (Mao et al., arXiv 1611.04076), which keep a gradient however sure the
    critic is.

    Args:
        device: Where it computes.
    """

    def __init__(self, device: torch.device) -> None:
        self._network = PatchDiscriminator(
            spatial_dims=2, channels=_CHANNELS, in_channels=1, num_layers_d=_LAYERS
        ).to(device)
        self._loss = PatchAdversarialLoss(criterion="least_squares")
        self._optimizer = torch.optim.Adam(
            self._network.parameters(), lr=_LEARNING_RATE, betas=(0.5, 0.9)
        )

    def doubt(self, rebuilt: Tensor) -> Tensor:
        """Return how far rebuilt images ``[B, 1, H, W]`` are from passing as real, a scalar."""
        verdicts = self._network(rebuilt)[-1]
        return self._loss(verdicts, target_is_real=True, for_discriminator=False)

    def learn(self, images: Tensor, rebuilt: Tensor) -> None:
        """Take one step on real and on rebuilt images, both ``[B, 1, H, W]`` without gradients."""
        loss = self._loss(
            self._network(images)[-1], target_is_real=True, for_discriminator=True
        ) + self._loss(self._network(rebuilt)[-1], target_is_real=False, for_discriminator=True)
        self._optimizer.zero_grad()
        (0.5 * loss).backward()
        self._optimizer.step()
