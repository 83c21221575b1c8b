"""A generator that came from Stable Diffusion, saved as such a folder again: diffusers opens it."""

from __future__ import annotations

import json
import logging
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path

import diffusers
from torch import Tensor

from ..generator import Generator
from .opening import ADAPTER


def save_stable_diffusion(
    generator: Generator, folder: Path, lora: Mapping[str, Tensor] | None = None
) -> None:
    """Write the folder that ``StableDiffusionPipeline.from_pretrained`` opens.

    Tokenizer, text encoder and noise schedule are those of the folder that it was opened from,
    which must still be there. A spatial adapter lies beside them where one was trained.

    Args:
        generator: A generator with ``stable_diffusion`` set.
        folder: A new or empty folder.
        lora: Low-rank updates of the U-Net by peft's names, to lie beside the merged weights in
            the form that ``load_lora_weights`` takes.
    """
    with _without_word_of_image_processors():
        from diffusers import StableDiffusionPipeline
    origin = generator.stable_diffusion
    assert origin is not None
    tokenizer, encoder = generator.caption_encoder.open_parts()
    index = json.loads((origin / "model_index.json").read_text(encoding="utf-8"))
    scheduler = getattr(diffusers, index["scheduler"][1])
    pipeline = StableDiffusionPipeline(
        vae=generator.autoencoder,
        text_encoder=encoder.to(generator.unet.dtype),
        tokenizer=tokenizer,
        unet=generator.unet,
        scheduler=scheduler.from_pretrained(origin, subfolder="scheduler"),
        safety_checker=None,
        feature_extractor=None,
        requires_safety_checker=False,
    )
    pipeline.save_pretrained(folder, safe_serialization=True)
    if generator.adapter is not None:
        generator.adapter.save_pretrained(folder / ADAPTER, safe_serialization=True)
    if lora:
        StableDiffusionPipeline.save_lora_weights(
            folder, unet_lora_layers=dict(lora), safe_serialization=True
        )


@contextmanager
def _without_word_of_image_processors() -> Iterator[None]:
    """Let transformers not say that Pillow takes torchvision's place in its image processors.

    diffusers imports two of them for pipelines that are given images. fedscan runs none.
    """
    log = logging.getLogger("transformers.utils.import_utils")
    level = log.level
    log.setLevel(logging.ERROR)
    try:
        yield
    finally:
        log.setLevel(level)
