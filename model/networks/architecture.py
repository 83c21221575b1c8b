"""The sizes in which a generator is built, and the building of its three networks."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from diffusers import T2IAdapter, UNet2DConditionModel

from ..conditions import SPATIAL_CHANNELS
from ..position import POSITION_FEATURES
from .block_autoencoder import BlockAutoencoder


@dataclass(frozen=True, kw_only=True)
class Architecture:
    """Dimensions of one generator size.

    Attributes:
        image_size: Height and width of an image in pixels.
        latent_channels: Channels of the autoencoder's latents.
        drawn_channels: The first of them, which the U-Net draws; the decoder draws what the others
            held. All without it.
        block: Side in pixels of the blocks that become one cell of a latent.
        autoencoder_width: Channels of the autoencoder's residual networks.
        unet_channels: Channels per resolution of the U-Net; each but the last halves.
        plain_levels: Resolutions of the U-Net, from the finest on, without attention.
        layers_per_block: Residual layers per U-Net block.
        head_channels: Channels of one attention head.
        norm_groups: Groups of the U-Net's group normalisation.
    """

    image_size: int
    latent_channels: int
    block: int
    autoencoder_width: int
    unet_channels: tuple[int, ...]
    drawn_channels: int | None = None
    plain_levels: int = 0
    layers_per_block: int = 1
    head_channels: int = 32
    norm_groups: int = 8

    @property
    def latent_size(self) -> int:
        """Height and width of a latent as the U-Net sees it."""
        return self.image_size // self.block


#: On a CPU few wide cells train several times faster than many narrow ones, and attention among
#: the finest cells would cost nearly as much as everything else together.
#: The base that ships was made before ``small`` had this autoencoder; its folder says how.
ARCHITECTURES: dict[str, Architecture] = {
    "tiny": Architecture(
        image_size=32,
        latent_channels=4,
        block=4,
        autoencoder_width=16,
        unet_channels=(16, 32),
        head_channels=8,
    ),
    "small": Architecture(
        image_size=64,
        latent_channels=8,
        block=4,
        autoencoder_width=64,
        unet_channels=(64, 64, 128),
        plain_levels=1,
    ),
    "128": Architecture(
        image_size=128,
        latent_channels=48,
        drawn_channels=16,
        block=8,
        autoencoder_width=160,
        unet_channels=(48, 96, 192),
        plain_levels=1,
        norm_groups=16,
    ),
    "base": Architecture(
        image_size=256,
        latent_channels=48,
        block=8,
        autoencoder_width=256,
        unet_channels=(192, 384, 576),
        layers_per_block=2,
        head_channels=64,
        norm_groups=32,
    ),
}


def build_autoencoder(size: Architecture) -> BlockAutoencoder:
    """Build the autoencoder: images ``[B, 1, H, W]`` to latents ``[B, C, h, w]``."""
    return BlockAutoencoder(
        block=size.block,
        latent_channels=size.latent_channels,
        encoder_width=size.autoencoder_width,
        decoder_width=size.autoencoder_width,
        sample_size=size.image_size,
    )


def build_unet(size: Architecture, text_width: int) -> UNet2DConditionModel:
    """Build the denoising U-Net with cross-attention to text and a slice position input."""
    plain = size.plain_levels
    attending = len(size.unet_channels) - plain
    options: dict[str, Any] = {
        "sample_size": size.latent_size,
        "in_channels": size.drawn_channels or size.latent_channels,
        "out_channels": size.drawn_channels or size.latent_channels,
        "block_out_channels": size.unet_channels,
        "layers_per_block": size.layers_per_block,
        "down_block_types": ("DownBlock2D",) * plain + ("CrossAttnDownBlock2D",) * attending,
        "up_block_types": ("CrossAttnUpBlock2D",) * attending + ("UpBlock2D",) * plain,
        "cross_attention_dim": text_width,
        # diffusers reads this argument as the number of heads (its issue 2011).
        "attention_head_dim": tuple(width // size.head_channels for width in size.unet_channels),
        "norm_num_groups": size.norm_groups,
        "class_embed_type": "projection",
        "projection_class_embeddings_input_dim": POSITION_FEATURES,
    }
    return UNet2DConditionModel(**options)


def build_adapter(
    unet_channels: tuple[int, ...], downscale: int, layers_per_block: int
) -> T2IAdapter:
    """Build the spatial adapter: one feature map per U-Net resolution.

    T2I-Adapter (Mou et al., arXiv 2302.08453): the features are added to the U-Net's encoder
    at every scale.
    """
    return T2IAdapter(
        in_channels=SPATIAL_CHANNELS,
        channels=list(unet_channels),
        num_res_blocks=layers_per_block,
        downscale_factor=downscale,
        adapter_type="full_adapter",
    )
