"""Rows to train on, made of images and their latents: which captions and conditions they show."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import torch
from torch import Tensor

from .condition_sampling import CAPTION_DROPOUT, random_spatial_conditions
from .conditions import spatial_conditions
from .example import Example, LatentRows
from .generator import Generator

#: Share of training rows that hear an image's free text, where it has one, in place of its words.
_REPORT_SHARE = 0.5


def encode_images(generator: Generator, examples: Sequence[Example]) -> Tensor:
    """Encode images to latents ``[B, C, h, w]``, on the CPU; few at once where they are large.

    Args:
        generator: Its autoencoder encodes.
        examples: The images.
    """
    images = torch.from_numpy(np.stack([example.image for example in examples])[:, None])
    parts = images.split(generator.images_at_once)
    return torch.cat([generator.encode(part).float().cpu() for part in parts])


def conditioned_rows(
    generator: Generator,
    latents: Tensor,
    examples: Sequence[Example],
    *,
    rng: np.random.Generator | None = None,
) -> LatentRows:
    """Put latents together with what they are conditioned on.

    Args:
        generator: Embeds the captions.
        latents: ``[B, C, h, w]``.
        examples: The images that they were encoded from, ``B`` of them.
        rng: If given, conditions are drawn as in training: captions are left out at times, masks,
            edges and partial images shown at times. Otherwise rows have their caption, and their
            mask where there is one.
    """
    captions = [example.description.caption() for example in examples]
    if rng is None:
        size = (generator.image_size, generator.image_size)
        spatial = [spatial_conditions(size, mask=one.mask) for one in examples]
    else:
        spatial = [random_spatial_conditions(rng, one.image, one.mask) for one in examples]
        # Words and text by turns: the generator is asked in words, whatever it was trained on.
        captions = [
            one.report if one.report and rng.random() < _REPORT_SHARE else words
            for one, words in zip(examples, captions, strict=True)
        ]
        captions = ["" if rng.random() < CAPTION_DROPOUT else text for text in captions]
    return LatentRows(
        latents=latents.to(generator.device),
        text=generator.embed(captions),
        position=torch.tensor([example.position for example in examples]),
        spatial=torch.from_numpy(np.stack(spatial)) if any(s.any() for s in spatial) else None,
    )
