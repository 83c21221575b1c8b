"""Images in memory as rows to train on: what a site's latent cache is to its scans."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from torch import Tensor

from ...model.example import Example, LatentRows
from ...model.generator import Generator
from ...model.patient_loss import DiffusionLoss, LossSettings
from ...model.training_rows import conditioned_rows, encode_images
from ..measures.image_sets import ImageSet


@dataclass(frozen=True, kw_only=True, eq=False)
class ImageRows:
    """Encoded images by patient.

    Attributes:
        generator: Encoded them, and embeds their captions.
        examples: Each patient's images.
        latents: The same encoded, float32 ``[N, C, h, w]`` for each patient.
    """

    generator: Generator
    examples: Mapping[str, tuple[Example, ...]]
    latents: Mapping[str, Tensor]

    @classmethod
    def of(cls, generator: Generator, images: ImageSet) -> ImageRows:
        """Encode images, patient by patient as a site does."""
        examples: dict[str, list[Example]] = {key: [] for key in sorted(set(images.patients))}
        for index, key in enumerate(images.patients):
            examples[key].append(_example(images, index))
        return cls(
            generator=generator,
            examples={key: tuple(own) for key, own in examples.items()},
            latents={key: _encoded(generator, own) for key, own in examples.items()},
        )

    def count(self, key: str) -> int:
        """Number of rows of a patient."""
        return len(self.examples[key])

    def rows(self, key: str, indices: Sequence[int], *, rng: np.random.Generator) -> LatentRows:
        """Return some of a patient's rows, with conditions drawn as in training."""
        examples = [self.examples[key][index] for index in indices]
        return conditioned_rows(self.generator, self.latents[key][list(indices)], examples, rng=rng)


def image_loss(generator: Generator, images: ImageSet, settings: LossSettings) -> DiffusionLoss:
    """Return the loss of each patient of some images, in the order of their keys."""
    rows = ImageRows.of(generator, images)
    return DiffusionLoss(
        generator=generator, source=rows, patients=tuple(rows.examples), settings=settings
    )


def _example(images: ImageSet, index: int) -> Example:
    return Example(
        image=images.images[index],
        description=images.descriptions[index],
        position=float(images.positions[index]),
        mask=images.masks[index] if images.masks else None,
    )


def _encoded(generator: Generator, examples: Sequence[Example]) -> Tensor:
    return encode_images(generator, examples)
