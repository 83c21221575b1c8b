"""A scan as a command works on it, whatever file it came from."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

import numpy as np
from numpy.typing import NDArray

from ...model.description import Description
from ...model.intensity import HU_KNOTS, hounsfield_to_linear, hounsfield_to_model

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
        return hounsfield_to_model(self.values) if hounsfield else self.to_linear(False)

    def to_linear(self, hounsfield: bool) -> Floats:
        """Values in proportion to the file's, about [-1, 1], ``[K, R, C]``; none is clipped."""
        if hounsfield:
            return hounsfield_to_linear(self.values)
        low, high = self.limits
        return np.asarray((self.values - low) / (high - low) * 2.0 - 1.0, np.float32)

    def noise_to_linear(self, deviation: float, hounsfield: bool) -> Floats:
        """Standard deviation of noise in :meth:`to_linear`'s values, ``[K, R, C]``.

        Args:
            deviation: The same in the file's unit.
            hounsfield: Whether this is the Hounsfield unit.
        """
        low, high = (HU_KNOTS[0], HU_KNOTS[-1]) if hounsfield else self.limits
        return np.full(self.values.shape, 2.0 * deviation / (high - low), np.float32)


def limits_of(values: NDArray[np.floating]) -> tuple[float, float]:
    """Return the values that a scan without a unit has sent to -1 and 1: nearly its extremes."""
    low, high = (float(value) for value in np.nanpercentile(values, [0.5, 99.5]))
    return (low, high) if high > low else (low, low + 1.0)
