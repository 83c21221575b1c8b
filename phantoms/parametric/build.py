"""Sizes that the parts of one random body share."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from .textures import NoiseSource

Path = list[NDArray[np.float64]]


@dataclass(frozen=True)
class Build:
    """A patient's build, and the randomness that the parts are drawn from.

    Attributes:
        rng: Source of randomness.
        noise: The patient's noise fields.
        broad: Size along x relative to the standard.
        deep: Size along y.
        tall: Size along z.
        size: Overall size.
        fat: Thickness of the fat under the skin in millimetres.
        sex: "female" or "male".
        years: Age.
    """

    rng: np.random.Generator
    noise: NoiseSource
    broad: float
    deep: float
    tall: float
    size: float
    fat: float
    sex: str
    years: float

    def at(self, x: float, y: float, z: float) -> NDArray[np.float64]:
        """Place of the standard body in this one."""
        return np.array([x * self.broad, y * self.deep, z * self.tall])

    def path(self, *nodes: Sequence[float]) -> Path:
        """Polyline of the standard body in this one."""
        return [self.at(*node) for node in nodes]

    def radii(self, x: float, y: float, z: float) -> NDArray[np.float64]:
        """Half axes of the standard body in this one."""
        return self.at(x, y, z)


def draw_build(
    rng: np.random.Generator,
    sex: str,
    years: float,
    *,
    spread: float,
    female: float,
    fat: float,
) -> Build:
    """Draw a build.

    Args:
        rng: Source of randomness.
        sex: "female" or "male".
        years: Age; the young are smaller.
        spread: Relative standard deviation of the proportions.
        female: Mean size of women relative to men.
        fat: Mean thickness of the fat under the skin in millimetres.
    """
    size = (female if sex == "female" else 1.0) * rng.normal(1, 0.035)
    size *= np.interp(years, (2, 16), (0.8, 1.0))
    broad, deep, tall = np.clip(rng.normal(1, spread, 3), 0.82, 1.2) * size
    mean = fat * (1.2 if sex == "female" else 0.95)
    thickness = float(np.clip(rng.normal(mean, 0.45 * fat), 0.25 * fat, 2.4 * fat))
    source = NoiseSource(rng)
    return Build(rng, source, broad, deep, tall, float(size), thickness, sex, years)
