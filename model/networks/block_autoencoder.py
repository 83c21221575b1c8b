"""The autoencoder of bases from 128 pixels on: blocks of pixels, their structure first."""

from __future__ import annotations

import torch
from diffusers import ConfigMixin, ModelMixin
from diffusers.configuration_utils import register_to_config
from diffusers.models.autoencoders.vae import DecoderOutput, IdentityDistribution
from diffusers.models.modeling_outputs import AutoencoderKLOutput
from torch import Tensor, nn
from torch.nn import functional

#: Side of the cells, in pixels, in which the decoder draws detail.
_DETAIL_CELL = 2


class BlockAutoencoder(ModelMixin, ConfigMixin):
    """Grey images to latents and back: a linear transform of blocks, and what a network adds.

    The linear part keeps the principal components of 8×8 blocks, strongest first, so that the
    first channels of a latent carry structure and the last ones texture (channels in an order:
    Chen et al., DC-AE 1.5, arXiv 2508.00413). Two residual networks, which begin at zero, add what
    neighbouring blocks tell. Training therefore starts from the best linear autoencoder and never
    has to find it. There is no normalisation over an image: crops, slices and films of every
    size are treated alike.

    Args:
        block: Side of a block in pixels.
        latent_channels: Channels of a latent.
        encoder_width: Channels of the encoder's residual network.
        encoder_layers: Its residual blocks.
        decoder_width: Channels of the decoder's residual network.
        decoder_layers: Its residual blocks.
        detail_width: Channels of the part of the decoder that works on 2×2 pixels.
        detail_layers: Its residual blocks.
        sample_size: Height and width of the images that a base with it makes, pixels.
        latents_mean: What is subtracted from each channel before diffusion.
        latents_std: What each channel is divided by before diffusion.
        in_channels: Grey images have one.
        out_channels: Grey images have one.
    """

    config_name = "config.json"

    @register_to_config
    def __init__(
        self,
        block: int = 8,
        latent_channels: int = 32,
        encoder_width: int = 128,
        encoder_layers: int = 2,
        decoder_width: int = 160,
        decoder_layers: int = 4,
        detail_width: int = 32,
        detail_layers: int = 2,
        sample_size: int = 128,
        latents_mean: list[float] | None = None,
        latents_std: list[float] | None = None,
        in_channels: int = 1,
        out_channels: int = 1,
        scaling_factor: float = 1.0,
        shift_factor: float | None = None,
    ) -> None:
        super().__init__()
        pixels = block**2
        upscale = block // _DETAIL_CELL
        self.analysis = nn.Conv2d(pixels, latent_channels, 1, bias=False)
        self.synthesis = nn.Conv2d(latent_channels, pixels, 1, bias=False)
        self.encoder = nn.Sequential(
            nn.Conv2d(pixels, encoder_width, 3, padding=1),
            *(_Residual(encoder_width) for _ in range(encoder_layers)),
            nn.SiLU(),
            _zero(nn.Conv2d(encoder_width, latent_channels, 3, padding=1)),
        )
        self.decoder = nn.Sequential(
            nn.Conv2d(latent_channels, decoder_width, 3, padding=1),
            *(_Residual(decoder_width) for _ in range(decoder_layers)),
            nn.SiLU(),
            nn.Conv2d(decoder_width, detail_width * upscale**2, 1),
            nn.PixelShuffle(upscale),
        )
        self.detail = nn.Sequential(
            nn.Conv2d(detail_width + _DETAIL_CELL**2, detail_width, 3, padding=1),
            *(_Residual(detail_width) for _ in range(detail_layers)),
            nn.SiLU(),
            _zero(nn.Conv2d(detail_width, _DETAIL_CELL**2, 3, padding=1)),
        )
        self.set_components(_cosines(block)[:latent_channels])

    @torch.no_grad()
    def set_components(self, components: Tensor) -> None:
        """Set the linear part.

        Args:
            components: Orthonormal rows, one per latent channel, ``[latent_channels, block²]``.
        """
        self.analysis.weight.copy_(components[:, :, None, None])
        self.synthesis.weight.copy_(components.T[:, :, None, None])

    def encode(self, x: Tensor) -> AutoencoderKLOutput:
        """Encode images ``[B, 1, H, W]`` in [-1, 1] to latents ``[B, C, H/8, W/8]``."""
        blocks = functional.pixel_unshuffle(x, self.config.block)
        latents = self.analysis(blocks) + self.encoder(blocks)
        return AutoencoderKLOutput(latent_dist=IdentityDistribution(latents))

    def decode(self, z: Tensor) -> DecoderOutput:
        """Decode latents ``[B, C, h, w]`` to images ``[B, 1, 8h, 8w]``."""
        plain = functional.pixel_shuffle(self.synthesis(z), self.config.block)
        cells = functional.pixel_unshuffle(plain, _DETAIL_CELL)
        detail = self.detail(torch.cat([self.decoder(z), cells], 1))
        return DecoderOutput(sample=plain + functional.pixel_shuffle(detail, _DETAIL_CELL))


def principal_components(images: Tensor, block: int, count: int) -> Tensor:
    """Find the directions in which blocks of images differ most.

    Not centred: grey is zero in [-1, 1], and a block's mean is its first component.

    Args:
        images: ``[N, 1, H, W]`` in [-1, 1].
        block: Side of a block in pixels.
        count: How many components to keep.

    Returns:
        Orthonormal rows, strongest first, ``[count, block²]``.
    """
    blocks = functional.pixel_unshuffle(images, block).movedim(1, -1).flatten(0, -2).double()
    _, vectors = torch.linalg.eigh(blocks.T @ blocks / len(blocks))
    return vectors[:, -count:].flip(1).T.float()


def _cosines(block: int) -> Tensor:
    """The discrete cosine transform of a block, low frequencies first: orthonormal rows."""
    steps = torch.arange(block, dtype=torch.float64)
    basis = torch.cos(torch.pi * (steps[None] + 0.5) * steps[:, None] / block) * (2 / block) ** 0.5
    basis[0] /= 2**0.5
    order = (steps[:, None] + steps[None]).flatten().argsort(stable=True)
    return torch.kron(basis, basis)[order].float()


class _Residual(nn.Module):
    """Two convolutions whose sum with their input is the input at first."""

    def __init__(self, width: int) -> None:
        super().__init__()
        self.layers = nn.Sequential(
            nn.SiLU(),
            nn.Conv2d(width, width, 3, padding=1),
            nn.SiLU(),
            _zero(nn.Conv2d(width, width, 3, padding=1)),
        )

    def forward(self, x: Tensor) -> Tensor:
        return x + self.layers(x)


def _zero(layer: nn.Conv2d) -> nn.Conv2d:
    nn.init.zeros_(layer.weight)
    if layer.bias is not None:
        nn.init.zeros_(layer.bias)
    return layer
