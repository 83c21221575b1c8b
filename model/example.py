"""One training image with everything the generator is conditioned on."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from .description import Description


@dataclass(frozen=True, kw_only=True)
class Example:
    """One slice or projection, ready for the generator.

    Attributes:
        image: float32 ``[H, W]`` in [-1, 1]; row 0 is the patient's top or front, column 0
            the patient's right, as a radiologist reads it.
        description: What it shows, in the closed vocabulary.
        position: Slice position in [0, 1] within the body region (0 inferior, right or
            posterior; 1 superior, left or anterior); 0.5 for projections.
        mask: uint8 label map ``[H, W]`` with the values of ``conditions.LABEL``, or ``None``.
        report: Free text about it, as private as its pixels; empty where none is trained on.
    """

    image: NDArray[np.float32]
    description: Description
    position: float = 0.5
    mask: NDArray[np.uint8] | None = None
    report: str = field(default="", repr=False)


@dataclass(frozen=True, kw_only=True)
class LatentRows:
    """A batch of encoded images with their conditions.

    Attributes:
        latents: float32 ``[B, C, h, w]``, scaled as the U-Net sees them.
        text: float32 ``[B, L, D]``, caption embeddings.
        position: float32 ``[B]`` in [0, 1].
        spatial: float32 ``[B, SPATIAL_CHANNELS, H, W]``, or ``None`` where no row has spatial
            conditions.
    """

    latents: Tensor
    text: Tensor
    position: Tensor
    spatial: Tensor | None = None

    def __len__(self) -> int:
        return int(self.latents.shape[0])

    def select(self, indices: Sequence[int] | Tensor) -> LatentRows:
        """Take rows by index, with repetition allowed."""
        index = torch.as_tensor(indices, dtype=torch.long)
        return LatentRows(
            latents=self.latents[index],
            text=self.text[index],
            position=self.position[index],
            spatial=None if self.spatial is None else self.spatial[index],
        )

    def to(self, device: torch.device | str) -> LatentRows:
        """Move all tensors to a device."""
        return LatentRows(
            latents=self.latents.to(device),
            text=self.text.to(device),
            position=self.position.to(device),
            spatial=None if self.spatial is None else self.spatial.to(device),
        )
