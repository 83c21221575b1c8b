"""Bowel: loops of the small bowel, and the colon with its gas."""

from __future__ import annotations

from .build import Build, Path
from .combine import grown
from .points import Solid
from .scene import Layer, of
from .solids import strands


def bowel_layers(build: Build, cavity: Solid) -> list[Layer]:
    """Draw all loops, each with wall, content and maybe gas on top."""
    rng = build.rng
    layers: list[Layer] = []
    for _ in range(26):
        at = build.at(*rng.uniform((-84, -78, -150), (88, 6, 14)))
        first, second = rng.normal(0, (24, 11, 14)), rng.normal(0, (24, 11, 14))
        layers += _loop(build, cavity, [at, at + first, at + first + second], 9, 15, 0.2)
    rising = build.path((-106, 12, -150), (-106, 2, -40), (-94, -20, -14))
    across = build.path((-94, -34, -14), (0, -78, -8), (88, -42, 26))
    falling = build.path((106, 14, 30), (106, 22, -60), (98, 16, -160))
    for path, chance in ((rising, 0.7), (across, 0.8), (falling, 0.6)):
        layers += _loop(build, cavity, path, 15, 22, chance)
    return layers


def _loop(
    build: Build, cavity: Solid, path: Path, least: float, most: float, gas: float
) -> list[Layer]:
    radius = build.rng.uniform(least, most)
    parts = strands(path, radius)
    layers = [
        of("soft", *parts, within=cavity),
        of("bowel", *(grown(part, -2.2) for part in parts), within=grown(cavity, -2.2)),
    ]
    if build.rng.random() < gas:
        top = [node - (0.0, 0.3 * radius, 0.0) for node in path]
        layers.append(of("inner air", *strands(top, radius * 0.62), within=grown(cavity, -3)))
    return layers
