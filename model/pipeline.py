"""The generator as a diffusers pipeline, so that diffusers' users can open and call it."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import diffusers
import numpy as np
import torch
from diffusers import (
    DDPMScheduler,
    DiffusionPipeline,
    SchedulerMixin,
    T2IAdapter,
    UNet2DConditionModel,
)
from diffusers.utils import BaseOutput
from numpy.typing import NDArray
from PIL import Image
from torch import Tensor

from .generator import Generator
from .marking import SyntheticPicture
from .networks.pixels import Autoencoder
from .prompt import read_prompt
from .sampling import DEFAULT_GUIDANCE, DEFAULT_STEPS, sample
from .text_encoder import CaptionEncoder
from .words.tables import few_words, read_vocabulary
from .words.vocabulary import Vocabulary

#: Forms in which a call can return its images.
_OUTPUTS = ("pil", "np", "pt")


@dataclass
class FedscanOutput(BaseOutput):
    """What a call of the pipeline returns.

    Attributes:
        images: Grey-level pictures; for ``output_type="np"`` float32 ``[N, H, W]`` in [-1, 1]; for
            ``"pt"`` a float32 tensor ``[N, 1, H, W]`` in [0, 1], as other pipelines return it.
    """

    images: list[Image.Image] | NDArray[np.float32] | Tensor


class FedscanPipeline(DiffusionPipeline):
    """Captions, slice positions and spatial conditions to images.

    Args:
        unet: See :class:`Generator`.
        adapter: See :class:`Generator`.
        vae: The autoencoder.
        caption_encoder: See :class:`Generator`.
        scheduler: See :class:`Generator`. Another of diffusers' schedulers takes its place as the
            solver: ``pipeline.scheduler = Other.from_config(pipeline.scheduler.config)``.
    """

    def __init__(
        self,
        unet: UNet2DConditionModel,
        adapter: T2IAdapter | None,
        vae: Autoencoder,
        caption_encoder: CaptionEncoder,
        scheduler: SchedulerMixin,
    ) -> None:
        super().__init__()
        self._words: Vocabulary | None = None
        self.register_modules(
            unet=unet,
            adapter=adapter,
            vae=vae,
            caption_encoder=caption_encoder,
            scheduler=scheduler,
        )

    @classmethod
    def load_config(cls, path: str | Path, *args: Any, **options: Any) -> Any:
        """Read a folder's index, which names the code beside it: this class takes its place."""
        config = super().load_config(path, *args, **options)
        if isinstance(config, dict) and isinstance(config.get("_class_name"), list):
            config["_class_name"] = config["_class_name"][-1]
        return config

    @classmethod
    def of(cls, generator: Generator) -> FedscanPipeline:
        """The pipeline around a generator's parts."""
        pipeline = cls(
            generator.unet,
            generator.adapter,
            generator.autoencoder,
            generator.caption_encoder,
            generator.scheduler,
        )
        pipeline._words = generator.words
        return pipeline

    def caption(self, prompt: str) -> str:
        """Return what is drawn for a prompt: as ``fedscan generate`` reads it, or as it is.

        Args:
            prompt: In one's own words.
        """
        description = read_prompt(prompt, self._own_words()).description
        return description.caption() if description else prompt

    def _own_words(self) -> Vocabulary:
        """Return the words that lie beside the generator."""
        if self._words is None:
            folder = Path(str(self.name_or_path))
            self._words = read_vocabulary(folder) if folder.is_dir() else few_words()
        return self._words

    def __call__(
        self,
        prompt: str | Sequence[str],
        *,
        position: float | Sequence[float] = 0.5,
        spatial: NDArray[np.float32] | None = None,
        size: int | None = None,
        guidance_scale: float = DEFAULT_GUIDANCE,
        num_inference_steps: int = DEFAULT_STEPS,
        seed: int = 0,
        output_type: str = "pil",
    ) -> FedscanOutput:
        """Draw one image per prompt: those of ``fedscan generate`` for the same seed.

        Pictures say that they are synthetic in every PNG, JPEG or GIF file that they are saved to.

        Args:
            prompt: One prompt or several.
            position: Slice position in [0, 1], one for all or one per prompt.
            spatial: ``[N, SPATIAL_CHANNELS, H, W]`` from ``spatial_conditions``.
            size: Height and width in pixels; the generator's own by default.
            guidance_scale: Classifier-free guidance; 1 means none.
            num_inference_steps: Solver steps.
            seed: Seed of the initial noise.
            output_type: ``"pil"``, ``"np"`` or ``"pt"``.

        Raises:
            ConfigurationError: If the generator does not draw images of this size.
            ModelError: If a value of an image is not finite.
            ValueError: If the output type is another one, or there are not as many positions as
                prompts.
        """
        if output_type not in _OUTPUTS:
            raise ValueError(f"output_type is {output_type!r}, not one of {', '.join(_OUTPUTS)}.")
        prompts = [prompt] if isinstance(prompt, str) else list(prompt)
        captions = [self.caption(one) for one in prompts]
        where = list(position) if isinstance(position, Sequence) else [position] * len(prompts)
        positions = [float(one) for one in where]
        if len(positions) != len(prompts):
            raise ValueError(f"There are {len(positions)} positions for {len(prompts)} prompts.")
        own = isinstance(self.scheduler, DDPMScheduler)
        schedule = self.scheduler if own else DDPMScheduler.from_config(self.scheduler.config)
        generator = Generator(self.unet, self.adapter, self.vae, self.caption_encoder, schedule)
        images = sample(
            generator,
            captions,
            positions=positions,
            spatial=spatial,
            size=size,
            guidance_scale=guidance_scale,
            steps=num_inference_steps,
            seed=seed,
            solver=None if own else self.scheduler,
        )
        if output_type == "np":
            return FedscanOutput(images=images)
        if output_type == "pt":
            return FedscanOutput(images=torch.from_numpy((images[:, None] + 1) / 2))
        return FedscanOutput(
            images=[
                SyntheticPicture.of(
                    image,
                    {
                        "Prompt": prompts[index],
                        "Caption": captions[index],
                        "Seed": str(seed),
                        "Index": str(index),
                    },
                )
                for index, image in enumerate(images)
            ]
        )


# DiffusionPipeline.from_pretrained looks the class of a folder of earlier releases up by name in
# diffusers itself; with this name in place it opens them without running code from them.
diffusers.FedscanPipeline = FedscanPipeline
