"""Stable Diffusion as a base: a pipeline folder on disk becomes a generator."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import torch
from diffusers import AutoencoderKL, DDPMScheduler, T2IAdapter, UNet2DConditionModel
from torch import nn

from ...errors import ModelError
from ..generator import Generator
from ..integrity.weights import open_network
from ..networks.architecture import build_adapter
from ..text_encoder import CaptionEncoder

_HINT = "Bases are text-to-image folders of Stable Diffusion 1 or 2: one U-Net, one text encoder."
#: Folder of a spatial adapter beside the parts of Stable Diffusion, which has none of its own.
ADAPTER = "adapter"


def load_stable_diffusion(folder: Path) -> Generator:
    """Open a Stable Diffusion 1 or 2 pipeline folder (Rombach et al., arXiv 2112.10752).

    U-Net, autoencoder, text encoder and noise schedule are the folder's. Captions are padded as
    its U-Net was trained to see them. There is no slice position, and no spatial adapter unless
    one was trained and lies beside them.

    Raises:
        ModelError: If its U-Net needs more than a noisy latent and one text.
        OSError: If a part is missing.
    """
    unet = open_network(UNet2DConditionModel, folder, "unet")
    autoencoder = open_network(AutoencoderKL, folder, "vae")
    _require_plain(folder, unet, autoencoder)
    # The autoencoder's own sample size is that of its training; images are made at the U-Net's.
    side = int(unet.config.sample_size) * _downscale(autoencoder)
    autoencoder.register_to_config(sample_size=side)
    encoder = json.loads((folder / "text_encoder" / "config.json").read_text(encoding="utf-8"))
    generator = Generator(
        unet,
        open_network(T2IAdapter, folder, ADAPTER) if (folder / ADAPTER).is_dir() else None,
        autoencoder,
        CaptionEncoder(str(folder), int(encoder["max_position_embeddings"]), keep_padding=True),
        DDPMScheduler.from_pretrained(folder, subfolder="scheduler"),
    )
    generator.stable_diffusion = folder
    return generator


def add_adapter(generator: Generator) -> None:
    """Give a generator without a spatial adapter a new one, which adds nothing until it is trained.

    Args:
        generator: Changed in place; with the same initial values on every machine.
    """
    if generator.adapter is not None:
        return
    unet = generator.unet
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(0)
        channels = tuple(unet.config.block_out_channels)
        adapter = build_adapter(channels, _downscale(generator.autoencoder), 2)
    _silence(adapter)
    generator.adapter = adapter.to(generator.device)


def _downscale(autoencoder: Any) -> int:
    return int(2 ** (len(autoencoder.config.block_out_channels) - 1))


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
