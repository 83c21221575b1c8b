"""Stable Diffusion as a base: a pipeline folder on disk becomes a generator."""

from __future__ import annotations

import json
from pathlib import Path

from diffusers import AutoencoderKL, DDPMScheduler, T2IAdapter, UNet2DConditionModel
from torch import nn

from ..errors import ModelError
from .generator import Generator
from .integrity.weights import open_network
from .networks.architecture import build_adapter
from .text_encoder import CaptionEncoder

_HINT = "Bases are text-to-image folders of Stable Diffusion 1 or 2: one U-Net, one text encoder."


def load_stable_diffusion(folder: Path) -> Generator:
    """Open a Stable Diffusion 1 or 2 pipeline folder (Rombach et al., arXiv 2112.10752).

    U-Net, autoencoder, text encoder and noise schedule are the folder's. Captions are padded as
    its U-Net was trained to see them. A new spatial adapter adds nothing until it is trained;
    there is no slice position.

    Raises:
        ModelError: If its U-Net needs more than a noisy latent and one text.
        OSError: If a part is missing.
    """
    unet = open_network(UNet2DConditionModel, folder, "unet")
    autoencoder = open_network(AutoencoderKL, folder, "vae")
    _require_plain(folder, unet, autoencoder)
    downscale = 2 ** (len(autoencoder.config.block_out_channels) - 1)
    # The autoencoder's own sample size is that of its training; images are made at the U-Net's.
    autoencoder.register_to_config(sample_size=int(unet.config.sample_size) * downscale)
    adapter = build_adapter(tuple(unet.config.block_out_channels), downscale, 2)
    _silence(adapter)
    encoder = json.loads((folder / "text_encoder" / "config.json").read_text(encoding="utf-8"))
    return Generator(
        unet,
        adapter,
        autoencoder,
        CaptionEncoder(str(folder), int(encoder["max_position_embeddings"]), keep_padding=True),
        DDPMScheduler.from_pretrained(folder, subfolder="scheduler"),
    )


def _require_plain(folder: Path, unet: UNet2DConditionModel, autoencoder: AutoencoderKL) -> None:
    config = unet.config
    needs = []
    if config.addition_embed_type or config.class_embed_type or config.num_class_embeds:
        needs.append("conditions besides its text")
    if config.in_channels != autoencoder.config.latent_channels:
        needs.append(
            f"{config.in_channels} channels where a latent has {autoencoder.config.latent_channels}"
        )
    if needs:
        raise ModelError(f"The U-Net in {folder} expects {' and '.join(needs)}.", hint=_HINT)


def _silence(adapter: T2IAdapter) -> None:
    """Make all features zero, in a way that gradients still reach every layer but the first zero.

    With nothing out of the first convolution and no biases below it, zeros are all that the
    residual blocks pass on.
    """
    inner = adapter.adapter
    silent: list[nn.Module] = [inner.conv_in]
    for block in inner.body:
        silent += [resnet.block2 for resnet in block.resnets]
        if block.in_conv is not None:
            nn.init.zeros_(block.in_conv.bias)
    for layer in silent:
        for parameter in layer.parameters():
            nn.init.zeros_(parameter)
