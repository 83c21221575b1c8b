"""One training image with everything the generator is conditioned on."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

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
    """

    image: NDArray[np.float32]
    description: Description
    position: float = 0.5
    mask: NDArray[np.uint8] | None = None
