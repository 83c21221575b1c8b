"""Findings of the chest: consolidations, hazy opacities, effusions, nodules."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from .build import Build
from .combine import intersection, roughened
from .points import Floats, Points, Solid
from .scene import Layer, of
from .solids import ellipsoid, half_space, rotation


def chest_findings(
    build: Build, finding: str, other: str, lungs: Solid, ribs: Solid, domes: float
) -> list[Layer]:
    """Draw what a finding looks like.

    Args:
        build: The patient.
        finding: Word of the closed vocabulary.
        other: For "other finding": "effusion", "nodule" or "heart" (an enlarged heart is
            built with the heart, and adds nothing here).
        lungs: Where opacities can be.
        ribs: The rib cage, next to which COVID-19 opacities lie.
        domes: Height of the diaphragm in millimetres.
    """
    if finding == "pneumonia":
        return _consolidations(build, lungs, domes)
    if finding == "COVID-19":
        return _peripheral_haze(build, lungs, ribs)
    if other == "effusion":
        return _effusion(build, lungs, domes)
    if other == "nodule":
        return _nodules(build, lungs, domes)
    return []


def _spot(build: Build, domes: float) -> NDArray[np.float64]:
    """A place in a lung, more often low than high."""
    rng = build.rng
    side = rng.choice((-1, 1))
    x, y = rng.uniform((52, -45), (94, 50))
    height = rng.beta(1.2, 1.7)
    z = domes / build.tall + 8 + height * (80 - domes / build.tall)
    return build.at(side * x, y, z)


def _consolidations(build: Build, lungs: Solid, domes: float) -> list[Layer]:
    rng = build.rng
    rough = build.noise.field(45)
    layers = []
    for _ in range(int(rng.choice((1, 2, 3), p=(0.5, 0.3, 0.2)))):
        centre = _spot(build, domes)
        radii = rng.uniform(30, 60) * rng.uniform(0.75, 1.3, 3)
        body = ellipsoid(centre, radii, rotation(*rng.uniform(-0.6, 0.6, 3)))
        body = roughened(body, rough, rng.uniform(4, 10)).hazy(rng.uniform(6, 22))
        if rng.random() < 0.4:  # a fissure bounds the lobe sharply
            down = rng.choice((-1.0, 1.0))
            normal = np.array([0, 0.6, 1]) * down / np.sqrt(1.36)
            body = intersection(body, half_space(normal, float(normal @ centre) + 8))
        layers.append(of("opacity", body, alpha=rng.uniform(0.65, 1.0), within=lungs))
    return layers


def _peripheral_haze(build: Build, lungs: Solid, ribs: Solid) -> list[Layer]:
    rng = build.rng
    patches = build.noise.field(rng.uniform(60, 100))
    cover = np.float32(rng.uniform(-0.1, 0.8))
    rim = np.float32(rng.uniform(18, 40))
    lower = np.float32(rng.uniform(0.002, 0.009))

    def measure(points: Points) -> Floats:
        """Patches of a field, where near the wall, and rather low and behind."""
        density = patches(points) - cover - lower * (points.z + 20) + np.float32(0.004) * points.y
        depth = -8 - points.distance(ribs)
        return np.maximum(np.float32(-14) * density, (depth - rim) * np.float32(0.8))

    haze = Solid(measure, lungs.box).hazy(rng.uniform(8, 18))
    return [of("opacity", haze, alpha=rng.uniform(0.5, 0.9), within=lungs)]


def _effusion(build: Build, lungs: Solid, domes: float) -> list[Layer]:
    rng = build.rng
    side = np.float32(rng.choice((-1, 1)))
    level = np.float32(domes + rng.uniform(-22, 50))
    tilt = np.float32(rng.uniform(0, 0.3))

    def measure(points: Points) -> Floats:
        """Below a level that rises to the chest wall, on one side."""
        wall = np.maximum(points.x * (side / np.float32(build.broad)) - 60, 0)
        surface = level + np.float32(0.012) * wall * wall + tilt * points.y
        return np.maximum(points.z - surface, 4 - points.x * side)

    return [of("effusion", Solid(measure, lungs.box), within=lungs)]


def _nodules(build: Build, lungs: Solid, domes: float) -> list[Layer]:
    rng = build.rng
    rough = build.noise.field(24)
    layers = []
    for _ in range(int(rng.choice((1, 2, 4), p=(0.6, 0.25, 0.15)))):
        radii = rng.uniform(8, 20) * rng.uniform(0.85, 1.15, 3)
        body = roughened(ellipsoid(_spot(build, domes), radii), rough, 1.2)
        layers.append(of("opacity", body, within=lungs))
    return layers
