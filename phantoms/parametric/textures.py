"""Smooth random fields: warps of the anatomy, folds of the cortex, texture of tissue."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
from scipy.ndimage import gaussian_filter, map_coordinates

from .points import Floats

if TYPE_CHECKING:
    from .points import Points

_CELLS = 32
#: Samples of the grid per wavelength of its band.
_PER_WAVE = 6.0


@dataclass(frozen=True, eq=False)
class NoiseField:
    """A periodic smooth random field of mean 0 and standard deviation 1.

    Attributes:
        grid: float32 ``[n, n, n]``, one sample per cell.
        cell: Millimetres between samples.
        shift: float32 ``[3]``, where the grid starts, in cells.
    """

    grid: Floats
    cell: float
    shift: Floats

    def __call__(self, points: Points) -> Floats:
        """Sample the field at points."""
        scale = np.float32(1.0 / self.cell)
        z, y, x = (
            c * scale + s for c, s in zip((points.z, points.y, points.x), self.shift, strict=True)
        )
        if self.cell < 0.8 * points.soft:  # finer than the sampling: the nearest sample does
            index = tuple(c.astype(np.int32) % _CELLS for c in (z, y, x))
            return self.grid[index]
        return map_coordinates(self.grid, np.stack([z, y, x]), order=1, mode="grid-wrap")


class NoiseSource:
    """One patient's noise, from which fields of any scale are cut.

    Args:
        rng: Source of randomness.
    """

    def __init__(self, rng: np.random.Generator) -> None:
        white = rng.standard_normal((_CELLS,) * 3, np.float32)
        # A band-pass: what is left has one scale, as the folds of the cortex have.
        fine = gaussian_filter(white, 1.1, mode="wrap", truncate=3.0)
        band = fine - gaussian_filter(fine, 1.9, mode="wrap", truncate=3.0)
        self._rng = rng
        self._grid = (band / band.std()).astype(np.float32)

    def field(self, wavelength: float) -> NoiseField:
        """Cut a field with structures about ``wavelength`` millimetres apart."""
        axes = self._rng.permutation(3)
        shift = self._rng.uniform(0, _CELLS, 3).astype(np.float32)
        # Coordinates stay positive, so that truncation is flooring.
        return NoiseField(
            np.ascontiguousarray(self._grid.transpose(axes)),
            wavelength / _PER_WAVE,
            shift + 64 * _CELLS,
        )


@dataclass(frozen=True, eq=False)
class Warp:
    """A smooth displacement of space: a few sine waves.

    Attributes:
        waves: float32 ``[n, 3]`` wave vectors in radians per millimetre.
        phases: float32 ``[n]``.
        shifts: float32 ``[n, 3]`` displacement of each wave in millimetres.
    """

    waves: Floats
    phases: Floats
    shifts: Floats

    @classmethod
    def draw(cls, rng: np.random.Generator, size: float, wavelength: float, count: int = 3) -> Warp:
        """Draw a warp of about ``size`` millimetres (standard deviation per direction)."""
        directions = rng.standard_normal((count, 3))
        directions /= np.linalg.norm(directions, axis=1, keepdims=True)
        lengths = wavelength * rng.uniform(0.7, 1.6, (count, 1))
        return cls(
            (directions * 2 * np.pi / lengths).astype(np.float32),
            rng.uniform(0, 2 * np.pi, count).astype(np.float32),
            (rng.standard_normal((count, 3)) * size * np.sqrt(2 / count)).astype(np.float32),
        )

    def __call__(self, x: Floats, y: Floats, z: Floats) -> tuple[Floats, Floats, Floats]:
        """Move points: from where they are scanned to where they are in the anatomy."""
        coordinates = [x.copy(), y.copy(), z.copy()]
        for wave, phase, shift in zip(self.waves, self.phases, self.shifts, strict=True):
            value = wave[0] * x
            value += wave[1] * y
            value += wave[2] * z
            value += phase
            np.sin(value, out=value)
            for coordinate, amount in zip(coordinates, shift, strict=True):
                coordinate += amount * value
        return coordinates[0], coordinates[1], coordinates[2]


def smooth_map(rng: np.random.Generator, shape: tuple[int, ...], waves: int = 3) -> Floats:
    """Draw a smooth random map of about ±1 over an image or a volume, such as a bias field."""
    total = np.zeros(shape, np.float32)
    for _ in range(waves):
        angle = np.full((1,) * len(shape), rng.uniform(0, 2 * np.pi), np.float32)
        for dimension, length in enumerate(shape):
            ramp = np.linspace(-1, 1, length, dtype=np.float32) * np.float32(rng.normal() * 1.3)
            angle = angle + ramp.reshape([-1 if d == dimension else 1 for d in range(len(shape))])
        total += np.sin(angle)
    return total / np.float32(np.sqrt(waves))
