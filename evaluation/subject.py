"""What is examined, and against which real images."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from torch import Tensor

from ..model.generator import Generator
from ..model.sampling import sample
from .measures.image_sets import RealSets


@dataclass(frozen=True, kw_only=True)
class Subject:
    """A generator, the real images of its sites, and how it is sampled.

    Attributes:
        name: The generator's name in tables.
        generator: The generator.
        others: Generators to compare with, such as "base" and "non-private".
        real: Images of patients it was trained on, and of patients that nothing has seen. A
            threshold that is chosen on real images is chosen on one half of the held-out
            patients and reported on the other.
        out: Folder for figures.
        guidance_scale: Classifier-free guidance; 1 is none.
        steps: Sampler steps.
        seed: Seed of everything random.
    """

    name: str
    generator: Generator
    real: RealSets
    out: Path
    others: Mapping[str, Generator] = field(default_factory=dict)
    guidance_scale: float = 2.0
    steps: int = 10
    seed: int = 0

    def draw(
        self,
        captions: Sequence[str],
        positions: Sequence[float],
        *,
        seed: int | None = None,
        spatial: NDArray[np.float32] | None = None,
        generator: Generator | None = None,
        noise: Tensor | None = None,
    ) -> NDArray[np.float32]:
        """Sample one image for each caption.

        Args:
            captions: What to show.
            positions: Slice positions in [0, 1].
            seed: Seed of the noise; the subject's own without it.
            spatial: Spatial conditions as ``model.sampling.sample`` takes them.
            generator: Another generator than the one examined.
            noise: Noise to start from, in place of the seed's.

        Returns:
            float32 ``[N, H, W]`` in [-1, 1].
        """
        return sample(
            generator or self.generator,
            captions,
            positions=list(positions),
            spatial=spatial,
            guidance_scale=self.guidance_scale,
            steps=self.steps,
            seed=self.seed if seed is None else seed,
            noise=noise,
        )
