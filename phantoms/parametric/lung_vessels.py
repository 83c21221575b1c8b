"""Vessels of the lung: trees that branch from the hila to the periphery."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from .build import Build
from .scene import Vessel
from .solids import Solid, segment


def grow_vessels(build: Build) -> list[Vessel]:
    """Grow both lungs' vessel trees."""
    rng = build.rng
    calibre = rng.uniform(0.8, 1.2)
    vessels: list[Vessel] = []
    for side in (-1, 1):
        hilum = build.at(side * 38, 20, 16)
        for _ in range(9):
            goal = build.at(*rng.uniform((62, -58, -112), (116, 62, 88)) * (side, 1, 1))
            _branch(rng, vessels, hilum, goal, calibre * rng.uniform(3.0, 5.0), 3)
    return vessels


def vessel_solids(vessels: list[Vessel]) -> tuple[Solid, ...]:
    """The vessels thick enough for a slice to show."""
    return tuple(segment(v.start, v.end, v.radius, 0.8 * v.radius) for v in vessels if v.radius > 1)


def _branch(
    rng: np.random.Generator,
    vessels: list[Vessel],
    start: NDArray[np.float64],
    goal: NDArray[np.float64],
    radius: float,
    depth: int,
) -> None:
    """Go part of the way to the goal, then split."""
    step = goal - start
    length = float(np.linalg.norm(step))
    end = start + step * rng.uniform(0.4, 0.55) + rng.normal(0, 0.08 * length, 3)
    vessels.append(Vessel(start.astype(np.float32), end.astype(np.float32), radius))
    if depth == 0:
        return
    for _ in range(2):
        spread = rng.normal(0, 0.26 * length, 3)
        _branch(
            rng,
            vessels,
            end,
            goal + spread,
            radius * rng.uniform(0.58, 0.76),
            depth - 1,
        )
