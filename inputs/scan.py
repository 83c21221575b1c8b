"""A scan as a command works on it, whatever file it came from."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

import numpy as np
from numpy.typing import NDArray

from ..model.description import Description
from ..model.intensity import HU_KNOTS, hounsfield_to_model

Floats = NDArray[np.float32]


@dataclass(frozen=True, eq=False, kw_only=True)
class Scan:
    """Slices of one scan.

    Attributes:
        values: ``[K, R, C]`` in the file's unit; CT in Hounsfield units.
        to_lps: Indices ``(k, r, c)`` to DICOM's patient coordinates in mm, ``[4, 4]``; ``None``
            where the file does not say where it lies.
        description: What it shows, as far as the file says.
        form: Format of the file: ``png``, ``nifti`` or ``dicom``.
        limits: Values sent to -1 and 1 where there is no physical unit.
        synthetic: Whether the file says that it was generated.
    """

    values: Floats
    to_lps: NDArray[np.float64] | None
    description: Description | None
    form: Literal["png", "nifti", "dicom"]
    limits: tuple[float, float]
    synthetic: bool = False

    def to_model(self, hounsfield: bool) -> Floats:
        """Values in the generator's range, ``[K, R, C]``; nothing but CT is clipped."""
        if hounsfield:
            return hounsfield_to_model(self.values)
        low, high = self.limits
        scaled = (self.values - low) / (high - low) * 2.0 - 1.0
        return np.asarray(scaled, np.float32)

    def noise_to_model(self, deviation: float, hounsfield: bool) -> Floats:
        """Standard deviation of noise, given in the file's unit, in the generator's range.

        The map of Hounsfield units has three slopes, so noise that is alike everywhere in them
        is stronger in soft tissue than in lung, air and bone.

        Returns:
            ``[K, R, C]``.
        """
        if not hounsfield:
            low, high = self.limits
            return np.full(self.values.shape, 2.0 * deviation / (high - low), np.float32)
        around = np.clip(self.values, HU_KNOTS[0] + deviation, HU_KNOTS[-1] - deviation)
        spread = hounsfield_to_model(around + deviation) - hounsfield_to_model(around - deviation)
        return np.asarray(spread / 2.0, np.float32)


def limits_of(values: NDArray[np.floating]) -> tuple[float, float]:
    """Return the values that a scan without a unit has sent to -1 and 1: nearly its extremes."""
    low, high = (float(value) for value in np.percentile(values, [0.5, 99.5]))
    return (low, high) if high > low else (low, low + 1.0)
