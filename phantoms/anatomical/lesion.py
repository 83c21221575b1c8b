"""Focal lesions: where they lie, how they push the brain, what they replace."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

import numpy as np
from numpy.typing import NDArray

#: Tissue classes that only lesions have.
LESION_TISSUES = ("rim", "core", "oedema", "scar")

Triple = tuple[float, float, float]


@dataclass(frozen=True)
class Lesion:
    """A focal lesion of the brain.

    Attributes:
        kind: A tumour has a dense rim, a soft centre, oedema around and a mass effect; an
            infarct is an old stroke, softened tissue that takes no room.
        centre: (z, y, x) in mm of template space.
        radii: Half axes in mm along z, y and x.
        roughness: How far in mm the edge strays from the ellipsoid.
        oedema: Width in mm of the oedema around it.
        push: Mass effect: displacement in mm of the tissue at its edge.
    """

    kind: Literal["tumour", "infarct"]
    centre: Triple
    radii: Triple
    roughness: float
    oedema: float = 0.0
    push: float = 0.0

    @property
    def size(self) -> float:
        """Mean radius in mm."""
        return sum(self.radii) / 3.0

    def offset(self, points: NDArray[np.floating]) -> NDArray[np.floating]:
        """Points ``[3, …]`` (z, y, x in mm) relative to the centre."""
        return points - np.reshape(self.centre, (3, *[1] * (points.ndim - 1)))


def draw_lesions(rng: np.random.Generator, sites: NDArray[np.floating]) -> tuple[Lesion, ...]:
    """Draw one infarct, one tumour, or a few smaller tumours as metastases are.

    Args:
        rng: Source of chance.
        sites: Points ``[n, 3]`` where a lesion may be centred.
    """
    if rng.random() < 0.35:
        return (_draw(rng, sites, "infarct", (10.0, 18.0)),)
    count = int(rng.choice([1, 2, 3], p=[0.7, 0.2, 0.1]))
    radius = (10.0, 18.0) if count == 1 else (8.0, 13.0)
    lesions: list[Lesion] = []
    while len(lesions) < count:
        lesion = _draw(rng, sites, "tumour", radius)
        apart = [
            np.linalg.norm(np.subtract(lesion.centre, other.centre)) - lesion.size - other.size
            for other in lesions
        ]
        if min(apart, default=np.inf) > 6.0:
            lesions.append(lesion)
    return tuple(lesions)


def _draw(
    rng: np.random.Generator,
    sites: NDArray[np.floating],
    kind: Literal["tumour", "infarct"],
    radius: tuple[float, float],
) -> Lesion:
    centre = sites[rng.integers(len(sites))]
    z, y, x = (float(value) for value in centre)
    stretch = rng.uniform(*radius) * np.clip(rng.normal(1.0, 0.13, 3), 0.75, 1.3)
    radii = tuple(float(value) for value in np.clip(stretch, 8.0, 20.0))
    size = sum(radii) / 3.0
    tumour = kind == "tumour"
    return Lesion(
        kind=kind,
        centre=(z, y, x),
        radii=(radii[0], radii[1], radii[2]),
        roughness=1.6 if tumour else 3.0,
        oedema=float(rng.uniform(4.0, 10.0)) if tumour else 0.0,
        push=0.22 * size if tumour else 0.0,
    )


def mass_effect(lesion: Lesion, points: NDArray[np.floating]) -> NDArray[np.float32]:
    """Displacement ``[3, …]`` in mm that makes room for a lesion.

    It maps a point to where its tissue is found in the atlas: further inward.

    Args:
        lesion: The lesion.
        points: ``[3, …]``, (z, y, x) in mm.
    """
    away = lesion.offset(points)
    distance = np.maximum(np.linalg.norm(away, axis=0), 1.0)
    beyond = np.maximum(distance - lesion.size, 0.0)
    # Nothing moves at the centre, most at the edge, and it fades within some 3 cm.
    strength = lesion.push * np.minimum(distance / lesion.size, np.exp(-beyond / 18.0))
    return np.asarray(-strength * away / distance, np.float32)


def lesion_parts(
    lesion: Lesion, points: NDArray[np.floating], roughness: NDArray[np.floating]
) -> dict[str, NDArray[np.floating]]:
    """Share of each lesion tissue at each point, were all of it brain.

    Args:
        lesion: The lesion.
        points: ``[3, N]``, (z, y, x) in mm.
        roughness: Smooth noise ``[N]`` of unit variance that shapes the edge.
    """
    away = lesion.offset(points) / np.reshape(lesion.radii, (3, 1))
    depth = (1.0 - np.linalg.norm(away, axis=0)) * lesion.size + lesion.roughness * roughness
    within = np.clip(0.5 + depth / 2.5, 0.0, 1.0)
    if lesion.kind == "infarct":
        return {"scar": within}
    core = np.clip(0.5 + (depth - 0.42 * lesion.size) / 2.5, 0.0, 1.0)
    around = np.clip(0.5 + (depth + lesion.oedema) / 4.0, 0.0, 1.0)
    return {"rim": within - core, "core": core, "oedema": np.maximum(around - within, 0.0)}
