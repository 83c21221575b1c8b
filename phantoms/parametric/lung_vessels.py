"""Vessels of the lung: trees that branch from the hila to the periphery."""

from __future__ import annotations

from collections.abc import Sequence
from typing import overload

import numpy as np
from numpy.typing import NDArray

from .build import Build
from .points import Solid
from .scene import Layer, Vessels
from .solids import segment

_TREES = 9  # per lung
_GENERATIONS = 4


def grow_vessels(build: Build) -> Vessels:
    """Grow both lungs' vessel trees, one generation of branches at a time."""
    rng = build.rng
    side = np.repeat((-1.0, 1.0), _TREES)
    start = np.stack([side * 38, np.full(len(side), 20.0), np.full(len(side), 16.0)], axis=1)
    goal = rng.uniform((62, -58, -112), (116, 62, 88), (len(side), 3))
    goal[:, 0] *= side
    scale = build.at(1, 1, 1)
    start, goal = start * scale, goal * scale
    radius = rng.uniform(0.8, 1.2) * rng.uniform(3.0, 5.0, len(side))
    segments: list[tuple[NDArray[np.float64], ...]] = []
    for _ in range(_GENERATIONS):
        step = goal - start
        length = np.linalg.norm(step, axis=1, keepdims=True)
        part = rng.uniform(0.4, 0.55, length.shape)
        end = start + step * part + 0.08 * length * rng.standard_normal(step.shape)
        segments.append((start, end, radius))
        # Each branch splits in two, which spread around its goal.
        start = np.repeat(end, 2, axis=0)
        goal = np.repeat(goal, 2, axis=0)
        goal = goal + 0.26 * np.repeat(length, 2, axis=0) * rng.standard_normal(goal.shape)
        radius = np.repeat(radius, 2) * rng.uniform(0.58, 0.76, 2 * len(radius))
    starts, ends, radii = (
        np.concatenate(parts).astype(np.float32) for parts in zip(*segments, strict=True)
    )
    return Vessels(starts, ends, radii)


class _Tubes(Sequence[Solid]):
    """The vessels as solids, made only where a slice meets them."""

    def __init__(self, vessels: Vessels) -> None:
        self._vessels = vessels

    def __len__(self) -> int:
        return len(self._vessels.radii)

    @overload
    def __getitem__(self, index: int) -> Solid: ...

    @overload
    def __getitem__(self, index: slice) -> Sequence[Solid]: ...

    def __getitem__(self, index: int | slice) -> Solid | Sequence[Solid]:
        if isinstance(index, slice):
            return [self[i] for i in range(*index.indices(len(self)))]
        vessels = self._vessels
        radius = float(vessels.radii[index])
        return segment(vessels.starts[index], vessels.ends[index], radius, 0.8 * radius)


def vessel_layer(vessels: Vessels, lungs: Solid) -> Layer:
    """Make the layer that slices show; too thin for the samples of a projection."""
    margin = vessels.radii[:, None]
    low = np.minimum(vessels.starts, vessels.ends) - margin
    high = np.maximum(vessels.starts, vessels.ends) + margin
    boxes = np.stack([low, high], axis=1)
    return Layer("lung vessel", _Tubes(vessels), within=lungs, films=False, boxes=boxes)
