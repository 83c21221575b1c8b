"""Smooth random fields: warps of the anatomy, folds of the cortex, texture of tissue."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray
from scipy.ndimage import gaussian_filter, map_coordinates

if TYPE_CHECKING:
    from .points import Points

Floats = NDArray[np.float32]


@dataclass(frozen=True, eq=False)
class NoiseField:
    """A periodic smooth random field of mean 0 and standard deviation 1.

    Attributes:
        grid: float32 ``[n, n, n]``.
        cell: Millimetres between its samples; structures are some 4 cells across.
    """

    grid: Floats
    cell: float

    @classmethod
    def draw(cls, rng: np.random.Generator, wavelength: float, cells: int = 32) -> NoiseField:
        """Draw a field with structures about ``wavelength`` millimetres apart."""
        white = rng.standard_normal((cells, cells, cells), np.float32)
        # A band-pass: what is left has one scale, as the folds of the cortex have.
        band = gaussian_filter(white, 1.1, mode="wrap") - gaussian_filter(white, 2.2, mode="wrap")
        return cls((band / band.std()).astype(np.float32), wavelength / 6.0)

    def __call__(self, points: Points) -> Floats:
        """Sample the field at points."""
        scale = np.float32(1.0 / self.cell)
        at = np.stack([points.z * scale, points.y * scale, points.x * scale])
        return map_coordinates(self.grid, at, order=1, mode="grid-wrap")


@dataclass(frozen=True, eq=False)
class Warp:
    """A smooth displacement of space: a few sine waves per direction.

    Attributes:
        waves: float32 ``[n, 3]`` wave vectors in radians per millimetre.
        phases: float32 ``[n]``.
        shifts: float32 ``[n, 3]`` displacement of each wave in millimetres.
    """

    waves: Floats
    phases: Floats
    shifts: Floats

    @classmethod
    def draw(cls, rng: np.random.Generator, size: float, wavelength: float, count: int = 4) -> Warp:
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
        """Move points."""
        moved = [x, y, z]
        for wave, phase, shift in zip(self.waves, self.phases, self.shifts, strict=True):
            value = np.sin(wave[0] * x + wave[1] * y + wave[2] * z + phase)
            moved = [c + s * value for c, s in zip(moved, shift, strict=True)]
        return moved[0], moved[1], moved[2]


def smooth_map(rng: np.random.Generator, shape: tuple[int, ...], cells: int = 3) -> Floats:
    """Draw a smooth random map of about ±1 over an image or a volume, such as a bias field."""
    axes = [np.linspace(-1, 1, n, dtype=np.float32) for n in shape]
    total = np.zeros(shape, np.float32)
    for _ in range(cells):
        angle: Floats = np.float32(rng.uniform(0, 2 * np.pi)) + np.zeros(shape, np.float32)
        for dimension, axis in enumerate(axes):
            along = [1] * len(shape)
            along[dimension] = -1
            angle += (np.float32(rng.normal() * 1.3) * axis).reshape(along)
        total += np.sin(angle)
    return total / np.float32(np.sqrt(cells))
