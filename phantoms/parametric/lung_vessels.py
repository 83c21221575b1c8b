"""Vessels of the lung: trees that branch from the hila to the periphery."""

from __future__ import annotations

import numpy as np

from .scene import Vessel
from .solids import Solid, tube


def grow_vessels(
    rng: np.random.Generator, broad: float, deep: float, tall: float
) -> tuple[list[Vessel], list[Solid]]:
    """Grow both lungs' vessel trees.

    Returns:
        All branches as straight tubes, and the thicker ones as solids for slices.
    """
    vessels: list[Vessel] = []
    for side in (-1, 1):
        hilum = np.array([side * 38.0 * broad, 20.0 * deep, 20.0 * tall])
        for _ in range(9):
            reach = np.array(
                [
                    side * rng.uniform(62, 116) * broad,
                    rng.uniform(-58, 62) * deep,
                    rng.uniform(-108, 92) * tall,
                ]
            )
            _branch(rng, vessels, hilum, reach, rng.uniform(3.6, 5.6), 3)
    solids = [tube([v.start, v.end], [v.radius, v.radius * 0.8]) for v in vessels if v.radius > 0.9]
    return vessels, solids


def _branch(
    rng: np.random.Generator,
    vessels: list[Vessel],
    start: np.ndarray,
    goal: np.ndarray,
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
        _branch(rng, vessels, end, goal + spread, radius * rng.uniform(0.58, 0.76), depth - 1)
