"""Intensities: the invertible map between Hounsfield units and the model's range [-1, 1].

Soft tissue differs by tens of HU while air, lung and bone span thousands, so a linear map
would leave soft tissue within a few grey levels. The map is piecewise linear instead, with
most of the range on soft tissue, and it has an exact inverse: CT comes out in HU again.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

#: Knots of the map: Hounsfield units and the model value each is sent to.
HU_KNOTS = np.array([-1000.0, -200.0, 200.0, 2000.0])
MODEL_KNOTS = np.array([-1.0, -0.6, 0.6, 1.0])


def hounsfield_to_model(hu: NDArray[np.floating]) -> NDArray[np.float32]:
    """Map Hounsfield units to [-1, 1]; values beyond the outer knots are clipped."""
    return np.interp(hu, HU_KNOTS, MODEL_KNOTS).astype(np.float32)


def model_to_hounsfield(values: NDArray[np.floating]) -> NDArray[np.float32]:
    """Map model values in [-1, 1] back to Hounsfield units in [-1000, 2000]."""
    return np.interp(values, MODEL_KNOTS, HU_KNOTS).astype(np.float32)


def hounsfield_to_linear(hu: NDArray[np.floating]) -> NDArray[np.float32]:
    """Map Hounsfield units in proportion, -1000 to -1 and 2000 to 1; nothing is clipped.

    Noise that is white in Hounsfield units stays white, which the generator's map undoes.
    """
    low, high = HU_KNOTS[0], HU_KNOTS[-1]
    return ((hu - low) * (2.0 / (high - low)) - 1.0).astype(np.float32)


def linear_to_hounsfield(values: NDArray[np.floating]) -> NDArray[np.float32]:
    """Undo :func:`hounsfield_to_linear`."""
    low, high = HU_KNOTS[0], HU_KNOTS[-1]
    return ((values + 1.0) * ((high - low) / 2.0) + low).astype(np.float32)


def percentile_to_model(
    image: NDArray[np.floating], low: float = 0.5, high: float = 99.5
) -> NDArray[np.float32]:
    """Map intensities without a physical unit (MR, X-ray) to [-1, 1] by two percentiles.

    Args:
        image: Any shape: a slice, or better a whole volume so that its slices agree.
        low: Percentile sent to -1.
        high: Percentile sent to 1. A constant image becomes all -1.
    """
    floor, ceiling = np.percentile(image, [low, high])
    fraction = (image - floor) / max(float(ceiling - floor), 1e-6)
    return (np.clip(fraction, 0.0, 1.0) * 2.0 - 1.0).astype(np.float32)
