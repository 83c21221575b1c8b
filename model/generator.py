"""The conditional latent diffusion generator: its networks and how they work together."""

from __future__ import annotations

import hashlib
import math
from collections.abc import Sequence
from typing import TypeAlias

import torch
from diffusers import AutoencoderKL, DDPMScheduler, T2IAdapter, UNet2DConditionModel
from torch import Tensor, nn
from torch.nn import functional

from .networks.architecture import ARCHITECTURES, build_adapter, build_autoencoder, build_unet
from .networks.block_autoencoder import BlockAutoencoder
from .position import position_features
from .settings import GeneratorSettings
from .text_encoder import CaptionEncoder
from .words.learnt import Learnt
from .words.tables import few_words, shipped_words
from .words.vocabulary import Vocabulary

#: fedscan's own autoencoder, or one of diffusers, such as Stable Diffusion's.
Autoencoder: TypeAlias = BlockAutoencoder | AutoencoderKL
#: Channels of an autoencoder for colour images, such as Stable Diffusion's.
_RGB = 3
#: Tokens of a caption that a newly built generator hears: a part, a sequence, five findings, sex
#: and age. Those built before there were so many words hear 24.
CAPTION_TOKENS = 40


class Generator(nn.Module):
    """A latent diffusion model with text, slice position and spatial conditions.

    Args:
        unet: Denoiser of latents ``[B, C, h, w]``.
        adapter: Spatial conditions to one feature map per U-Net resolution.
        autoencoder: Images ``[B, 1, H, W]`` to latents and back.
        caption_encoder: Frozen text encoder.
        scheduler: Noise schedule and kind of prediction.
    """

    def __init__(
        self,
        unet: UNet2DConditionModel,
        adapter: T2IAdapter,
        autoencoder: Autoencoder,
        caption_encoder: CaptionEncoder,
        scheduler: DDPMScheduler,
    ) -> None:
        super().__init__()
        self.unet = unet
        self.adapter = adapter
        self.autoencoder = autoencoder.eval().requires_grad_(False)
        self.caption_encoder: CaptionEncoder
        # Not a submodule: its public weights are neither trained, nor hashed, nor saved.
        self.__dict__["caption_encoder"] = caption_encoder
        self.scheduler = scheduler
        #: What its captions are made of; prompts are read against it.
        self.words: Vocabulary = few_words()
        #: What its card says that it has learnt; ``None`` if nothing is on record.
        self.learnt: Learnt | None = None

    @property
    def image_size(self) -> int:
        """Height and width of an image in pixels."""
        return int(self.autoencoder.config.sample_size)

    @property
    def latent_shape(self) -> tuple[int, int, int]:
        """Channels, height and width of one latent."""
        size = int(self.unet.config.sample_size)
        return int(self.unet.config.in_channels), size, size

    @property
    def device(self) -> torch.device:
        """Where the U-Net's weights are."""
        return next(self.unet.parameters()).device

    def embed(self, captions: Sequence[str]) -> Tensor:
        """Encode captions to ``[B, L, D]``; ``""`` is the unconditional caption."""
        return self.caption_encoder.embed(captions).to(self.device)

    @torch.no_grad()
    def encode(self, images: Tensor) -> Tensor:
        """Encode images ``[B, 1, H, W]`` in [-1, 1] to scaled mean latents ``[B, C, h, w]``."""
        pixels = pack_pixels(self.autoencoder, images.to(self.device))
        means = (
            self.autoencoder.encode(pixels.to(self.autoencoder.dtype)).latent_dist.mode().float()
        )
        shift, scale = self._latent_statistics()
        return functional.pixel_unshuffle((means - shift) / scale, self.packing)

    @torch.no_grad()
    def decode(self, latents: Tensor) -> Tensor:
        """Decode scaled latents ``[B, C, h, w]`` to images ``[B, 1, H, W]`` in [-1, 1]."""
        shift, scale = self._latent_statistics()
        unpacked_latents = functional.pixel_shuffle(latents, self.packing)
        to_decode = (unpacked_latents * scale + shift).to(self.autoencoder.dtype)
        pixels = self.autoencoder.decode(to_decode).sample.float()
        return unpack_pixels(self.autoencoder, pixels).clamp(-1.0, 1.0)

    def denoise(
        self,
        noisy: Tensor,
        timesteps: Tensor,
        text: Tensor,
        position: Tensor,
        spatial: Tensor | None = None,
    ) -> Tensor:
        """Predict the noise or velocity in noisy latents.

        Args:
            noisy: ``[B, C, h, w]``.
            timesteps: ``[B]``, long.
            text: ``[B, L, D]``.
            position: ``[B]`` in [0, 1].
            spatial: ``[B, SPATIAL_CHANNELS, H, W]`` or ``None``.

        Returns:
            ``[B, C, h, w]``.
        """
        kind, positions = self.unet.dtype, None
        if self.unet.class_embedding is not None:
            positions = position_features(position).to(kind)
        prediction = self.unet(
            noisy.to(kind),
            timesteps,
            text.to(kind),
            class_labels=positions,
            down_intrablock_additional_residuals=self._spatial_features(spatial),
        ).sample
        return prediction.to(noisy.dtype)

    def latents_digest(self) -> str:
        """SHA-256 over all that decides about an image's latent: what cached ones are keyed by."""
        digest = hashlib.sha256()
        for name, tensor in sorted(self.autoencoder.state_dict().items()):
            digest.update(name.encode())
            digest.update(tensor.detach().cpu().contiguous().numpy().tobytes())
        digest.update(repr((self._latent_statistics(), self.packing)).encode())
        return digest.hexdigest()

    def _spatial_features(self, spatial: Tensor | None) -> list[Tensor] | None:
        """Adapter features per scale; rows without any condition get zeros, at no cost."""
        if spatial is None:
            return None
        has_condition = spatial.flatten(1).abs().sum(1) > 0
        if not bool(has_condition.any()):
            return None
        features = []
        stacks = spatial[has_condition].to(self.adapter.dtype)
        for block, feature in zip(self.unet.down_blocks, self.adapter(stacks), strict=True):
            if not getattr(block, "has_cross_attention", False) and block.downsamplers:
                # diffusers adds a block's features within it if it attends, and else behind it.
                # Rounded up, as the U-Net's own halving is where a size is odd.
                feature = functional.avg_pool2d(feature, 2, ceil_mode=True)
            full = feature.new_zeros((len(has_condition), *feature.shape[1:]))
            features.append(full.index_copy(0, has_condition.nonzero()[:, 0], feature))
        return features

    @property
    def packing(self) -> int:
        """Side of the block of autoencoder cells that the U-Net sees as one."""
        ratio = self.unet.config.in_channels // self.autoencoder.config.latent_channels
        return math.isqrt(ratio)

    @property
    def channel_weights(self) -> Tensor | None:
        """How much an error of each latent channel counts in training, ``[C, 1, 1]``, mean 1.

        In proportion to what it changes in the pixels. By its square, as the pixels' own error
        would have it, texture stays grain; all alike, blocks show. ``None`` where the change is not
        known: an autoencoder of blocks has orthonormal channels, others have not.
        """
        config = self.autoencoder.config
        if not isinstance(self.autoencoder, BlockAutoencoder) or config.latents_std is None:
            return None
        change = torch.tensor(config.latents_std, device=self.device)
        return (change / change.mean()).view(-1, 1, 1)

    def _latent_statistics(self) -> tuple[Tensor, Tensor]:
        config = self.autoencoder.config
        if config.latents_mean is not None:
            shift = torch.tensor(config.latents_mean, device=self.device)
            scale = torch.tensor(config.latents_std, device=self.device)
        else:
            shift = torch.tensor([config.shift_factor or 0.0], device=self.device)
            scale = torch.tensor([1.0 / config.scaling_factor], device=self.device)
        return shift.view(1, -1, 1, 1), scale.view(1, -1, 1, 1)


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


def noise_schedule(prediction: str) -> DDPMScheduler:
    """The training noise schedule: squared cosine (Nichol & Dhariwal, arXiv 2102.09672)."""
    return DDPMScheduler(
        num_train_timesteps=1000,
        beta_schedule="squaredcos_cap_v2",
        prediction_type=prediction,
        timestep_spacing="trailing",
        clip_sample=False,
    )


def build_generator(settings: GeneratorSettings, seed: int = 0) -> Generator:
    """Build a generator with random weights (a trained base comes from ``fedscan pretrain``).

    Args:
        settings: Size, kind of prediction and text encoder.
        seed: Seed of the initial weights.
    """
    size = ARCHITECTURES[settings.size]
    captions = CaptionEncoder(settings.text_encoder, CAPTION_TOKENS)
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(seed)
        generator = Generator(
            build_unet(size, captions.width),
            build_adapter(size.unet_channels, size.block, size.layers_per_block),
            build_autoencoder(size),
            captions,
            noise_schedule(settings.prediction),
        )
    generator.words = shipped_words()
    return generator
