"""The conditional latent diffusion generator: its networks and how they work together."""

from __future__ import annotations

from collections.abc import Sequence
from contextlib import AbstractContextManager, nullcontext
from pathlib import Path

import torch
from diffusers import DDPMScheduler, T2IAdapter, UNet2DConditionModel
from diffusers.models.attention_processor import AttnProcessor
from torch import Tensor, nn
from torch.nn import functional

from .networks import latents
from .networks.architecture import ARCHITECTURES, build_adapter, build_autoencoder, build_unet
from .networks.block_autoencoder import BlockAutoencoder
from .networks.pixels import Autoencoder, pack_pixels, unpack_pixels
from .position import position_features
from .settings import GeneratorSettings
from .text_encoder import CaptionEncoder
from .words.learnt import Learnt
from .words.tables import few_words, shipped_words
from .words.vocabulary import Vocabulary

#: Images that an autoencoder takes at once, of up to so many pixels along a side.
_AT_ONCE, _SMALL = 64, 128
#: Tokens of a caption that a newly built generator hears: a part, a sequence, five findings, sex
#: and age. Those built before there were so many words hear 24.
CAPTION_TOKENS = 40


class Generator(nn.Module):
    """A latent diffusion model with text, slice position and spatial conditions.

    Args:
        unet: Denoiser of latents ``[B, C, h, w]``.
        adapter: Spatial conditions to one feature map per U-Net resolution; ``None`` where there is
            none, and conditions are not heard.
        autoencoder: Images ``[B, 1, H, W]`` to latents and back.
        caption_encoder: Frozen text encoder.
        scheduler: Noise schedule and kind of prediction.
    """

    def __init__(
        self,
        unet: UNet2DConditionModel,
        adapter: T2IAdapter | None,
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
        #: Folder that it was opened from, where that is of Stable Diffusion: so it is saved, too.
        self.stable_diffusion: Path | None = None
        self._half_kind: torch.dtype | None = None
        self._attends_plainly = False
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

    @property
    def takes_position(self) -> bool:
        """Whether it hears a slice position."""
        return self.unet.class_embedding is not None

    @property
    def takes_spatial(self) -> bool:
        """Whether it hears masks, edges and partial images."""
        return self.adapter is not None

    def resize(self, side: int) -> None:
        """Make images of another size its own; only the size that its configurations state changes.

        Args:
            side: Height and width in pixels, a whole number of latent cells.
        """
        cells = int(self.unet.config.sample_size) * side // self.image_size
        self.unet.register_to_config(sample_size=cells)
        self.autoencoder.register_to_config(sample_size=side)

    def lower_frozen(self, kind: torch.dtype) -> None:
        """Keep what does not train of U-Net and adapter in half precision, and multiply in it.

        The rest keeps its own precision, and its gradients (Micikevicius et al., arXiv 1710.03740).

        Args:
            kind: Such as bfloat16.
        """
        for network in filter(None, (self.unet, self.adapter)):
            for parameter in network.parameters():
                if not parameter.requires_grad:
                    parameter.data = parameter.data.to(kind)
        self._half_kind = kind

    def precision(self) -> AbstractContextManager[object]:
        """Return the context that its networks multiply in."""
        if self._half_kind is None:
            return nullcontext()
        if self.device.type == "cpu" and not self._attends_plainly:
            # The fused attention's way back in bfloat16 is up to ten times slower on CPUs.
            self.unet.set_attn_processor(AttnProcessor())
            self._attends_plainly = True
        return torch.autocast(self.device.type, self._half_kind)

    def compute_twice(self, twice: bool) -> None:
        """Keep less of a pass for its way back, and compute most of it again there instead.

        Gradient checkpointing (Chen et al., arXiv 1604.06174); it changes no result.

        Args:
            twice: Whether to; else all is kept.
        """
        if twice:
            self.unet.enable_gradient_checkpointing()
        else:
            self.unet.disable_gradient_checkpointing()

    @property
    def images_at_once(self) -> int:
        """How many images go through its autoencoder at once: a large one takes gigabytes.

        It follows from the size of the images alone, so that the same ones give the same bytes.
        """
        if isinstance(self.autoencoder, BlockAutoencoder):
            return _AT_ONCE  # it computes on blocks, not on pixels
        return max(1, min(_AT_ONCE, _AT_ONCE * _SMALL**2 // self.image_size**2))

    def embed(self, captions: Sequence[str]) -> Tensor:
        """Encode captions to ``[B, L, D]``; ``""`` is the unconditional caption."""
        return self.caption_encoder.embed(captions).to(self.device)

    def encode(self, images: Tensor) -> Tensor:
        """Encode images ``[B, 1, H, W]`` in [-1, 1] to scaled mean latents ``[B, C, h, w]``.

        Of an autoencoder's channels, these are the first ones, which the U-Net draws.
        """
        return self.encode_all(images)[:, : self.latent_shape[0]]

    def rebuild(self, images: Tensor, channels: int | None = None) -> Tensor:
        """Take images ``[B, 1, H, W]`` in [-1, 1] through the autoencoder and back.

        Args:
            images: What is encoded and decoded.
            channels: How many of a latent's first channels to keep; all of the autoencoder's
                without it.
        """
        return self.decode(self.encode_all(images)[:, :channels])

    @torch.no_grad()
    def encode_all(self, images: Tensor) -> Tensor:
        """Encode images like :meth:`encode`, to all channels of the autoencoder."""
        pixels = pack_pixels(self.autoencoder, images.to(self.device))
        means = (
            self.autoencoder.encode(pixels.to(self.autoencoder.dtype)).latent_dist.mode().float()
        )
        shift, scale = self.latent_statistics()
        return functional.pixel_unshuffle((means - shift) / scale, self.packing)

    @torch.no_grad()
    def decode(self, cells: Tensor) -> Tensor:
        """Decode scaled latents ``[B, C, h, w]`` to images ``[B, 1, H, W]`` in [-1, 1].

        Channels that the U-Net does not draw are at their means; the decoder draws what they held.
        """
        shift, scale = self.latent_statistics()
        count = self.packing**2 * self.autoencoder.config.latent_channels
        full = functional.pad(cells, (0, 0, 0, 0, 0, count - cells.shape[1]))
        to_decode = functional.pixel_shuffle(full, self.packing) * scale + shift
        pixels = self.autoencoder.decode(to_decode.to(self.autoencoder.dtype)).sample.float()
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
        if self.takes_position:
            positions = position_features(position).to(kind)
        with self.precision():
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
        return latents.latents_digest(self.autoencoder, self.latent_shape[0])

    def _spatial_features(self, spatial: Tensor | None) -> list[Tensor] | None:
        """Adapter features per scale; rows without any condition get zeros, at no cost."""
        if spatial is None or self.adapter is None:
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
        return latents.packing(self.autoencoder, self.latent_shape[0])

    @property
    def channel_weights(self) -> Tensor | None:
        """See :func:`channel_weights`."""
        return latents.channel_weights(self.autoencoder, self.latent_shape[0], self.device)

    def latent_statistics(self) -> tuple[Tensor, Tensor]:
        """See :func:`latent_statistics`."""
        return latents.latent_statistics(self.autoencoder, self.device)


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
