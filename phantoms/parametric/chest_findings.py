"""Findings of the chest: consolidations, hazy opacities, effusions, nodules."""

from __future__ import annotations

import numpy as np

from .points import Floats, Points
from .scene import Layer
from .solids import Solid, ellipsoid, half_space, intersection, rotation, roughened
from .textures import NoiseField


def chest_findings(
    rng: np.random.Generator,
    finding: str,
    other: str,
    lungs: Solid,
    ribs: Solid,
    stretch: tuple[float, float, float],
    domes: float,
) -> list[Layer]:
    """Draw what the finding looks like.

    Args:
        rng: Source of randomness.
        finding: Word of the closed vocabulary.
        other: For "other finding": "effusion", "nodule" or "heart" (an enlarged heart is
            built with the heart, and adds nothing here).
        lungs: Where opacities can be.
        ribs: The rib cage, next to which COVID-19 opacities lie.
        stretch: The patient's size relative to the standard, along x, y and z.
        domes: Height of the diaphragm.
    """
    if finding == "pneumonia":
        return _consolidations(rng, lungs, stretch)
    if finding == "COVID-19":
        return _peripheral_haze(rng, lungs, ribs)
    if other == "effusion":
        return _effusion(rng, lungs, stretch, domes)
    if other == "nodule":
        return _nodules(rng, lungs, stretch)
    return []


def _spot(rng: np.random.Generator, stretch: tuple[float, float, float]) -> np.ndarray:
    side = rng.choice((-1, 1))
    centre = np.array([side * rng.uniform(52, 98), rng.uniform(-45, 55), rng.uniform(-85, 70)])
    return centre * stretch


def _consolidations(
    rng: np.random.Generator, lungs: Solid, stretch: tuple[float, float, float]
) -> list[Layer]:
    rough = NoiseField.draw(rng, 40)
    layers = []
    for _ in range(int(rng.choice((1, 2, 3), p=(0.6, 0.25, 0.15)))):
        centre = _spot(rng, stretch)
        radii = rng.uniform(28, 58) * rng.uniform(0.75, 1.3, 3)
        body = ellipsoid(centre, radii, rotation(*rng.uniform(-0.6, 0.6, 3)))
        body = roughened(body, rough, rng.uniform(4, 9)).hazy(rng.uniform(4, 22))
        parts = [body, lungs]
        if rng.random() < 0.45:  # a fissure bounds the lobe sharply
            down = rng.choice((-1.0, 1.0))
            normal = (0, 0.6 * down, down)
            parts.append(half_space(normal, float(np.dot(normal, centre)) / 1.166 + 8))
        layers.append(Layer("opacity", intersection(*parts), alpha=rng.uniform(0.55, 0.97)))
    return [Layer(layer.tissue, _keep_edge(layer.solid, rng), layer.alpha) for layer in layers]


def _keep_edge(solid: Solid, rng: np.random.Generator) -> Solid:
    return solid.hazy(rng.uniform(5, 18))


def _peripheral_haze(rng: np.random.Generator, lungs: Solid, ribs: Solid) -> list[Layer]:
    patches = NoiseField.draw(rng, rng.uniform(60, 100))
    cover = rng.uniform(-0.2, 0.7)
    rim = np.float32(rng.uniform(16, 34))
    lower = np.float32(rng.uniform(0.002, 0.008))

    def measure(points: Points) -> Floats:
        depth = -8 - points.distance(ribs)
        wanted = patches(points) - np.float32(cover) - lower * (points.z + 20)
        wanted = wanted + np.float32(0.005) * points.y
        patch = np.float32(-14) * wanted
        return np.maximum(patch, (depth - rim) * np.float32(0.8))

    haze = intersection(Solid(measure), lungs).hazy(rng.uniform(10, 22))
    return [Layer("opacity", haze, alpha=rng.uniform(0.3, 0.65))]


def _effusion(
    rng: np.random.Generator,
    lungs: Solid,
    stretch: tuple[float, float, float],
    domes: float,
) -> list[Layer]:
    side = float(rng.choice((-1, 1)))
    level = domes + rng.uniform(-28, 45)
    broad = np.float32(stretch[0])

    def measure(points: Points) -> Floats:
        """Below a level that rises to the chest wall, on one side."""
        wall = np.maximum(points.x * np.float32(side) / broad - 60, 0)
        surface = np.float32(level) + np.float32(0.012) * wall**2 + np.float32(0.2) * points.y
        return np.maximum(points.z - surface, 4 - points.x * np.float32(side))

    return [Layer("effusion", intersection(Solid(measure), lungs))]


def _nodules(
    rng: np.random.Generator, lungs: Solid, stretch: tuple[float, float, float]
) -> list[Layer]:
    rough = NoiseField.draw(rng, 24)
    layers = []
    for _ in range(int(rng.choice((1, 2, 4), p=(0.6, 0.25, 0.15)))):
        radius = rng.uniform(8, 20)
        body = ellipsoid(_spot(rng, stretch), radius * rng.uniform(0.85, 1.15, 3))
        layers.append(Layer("opacity", intersection(roughened(body, rough, 1.2), lungs)))
    return layers
