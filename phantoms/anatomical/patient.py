"""A made-up patient: who it is, how its head differs from the average, and its lesion."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy import ndimage

from .atlas import COARSE, HeadAtlas
from .template import BOX_LOW

#: Mean size and spread of heads relative to the template; male heads are larger.
_SIZE = {"F": 0.965, "M": 1.0}
_SIZE_SPREAD = 0.022


@dataclass(frozen=True)
class Lesion:
    """A focal lesion of the brain.

    Attributes:
        kind: ``"tumour"`` (solid rim, soft centre, oedema around, mass effect) or
            ``"infarct"`` (an old stroke: softened tissue, no mass effect).
        centre: (z, y, x) in mm of template space.
        radii: Half axes in mm along z, y and x.
        roughness: How far in mm the edge strays from the ellipsoid.
        oedema: Width in mm of the oedema around it; 0 for none.
        push: Mass effect: displacement in mm of the tissue at its edge.
    """

    kind: str
    centre: tuple[float, float, float]
    radii: tuple[float, float, float]
    roughness: float
    oedema: float
    push: float


@dataclass(frozen=True, eq=False)
class Head:
    """One patient's head, as what distinguishes it from the atlas.

    Attributes:
        sex: ``"F"`` or ``"M"``.
        age: Years.
        to_atlas: Affine ``[3, 4]`` from scanner to template space (z, y, x in mm).
        displacement: Added in template space, ``[3, z, y, x]`` on the coarse grid, in mm.
        roughness: Smooth unit-variance noise on the coarse grid, for the lesion's edge.
        sulci: Exponent, at most 1, on the fluid share of a voxel: widens sulci.
        lesion: The lesion, if any.
    """

    sex: str
    age: int
    to_atlas: NDArray[np.float64]
    displacement: NDArray[np.float32]
    roughness: NDArray[np.float32]
    sulci: float
    lesion: Lesion | None


def draw_head(
    rng: np.random.Generator, atlas: HeadAtlas, *, sex: str, age: int, lesion: bool
) -> Head:
    """Draw a patient's head.

    Args:
        rng: Source of the patient's chance.
        atlas: The average head.
        sex: ``"F"`` or ``"M"``.
        age: Years; sets the size of the ventricles and the width of the sulci.
        lesion: Whether the brain has a lesion.
    """
    ageing = float(np.clip((age - 20) / 65.0, 0.0, 1.0)) ** 1.5
    ventricles = float(np.clip(-0.6 + 5.6 * ageing + rng.normal(0.0, 0.7), -2.0, 6.5))
    cortex = float(np.clip(2.6 * ageing + rng.normal(0.0, 0.25), -0.3, 3.2))
    displacement = _smooth(rng, 3, 24.0) * 2.6 + _smooth(rng, 3, 11.0) * 1.2
    displacement += ventricles * atlas.ventricle_push + cortex * atlas.cortex_pull
    found = _draw_lesion(rng, atlas) if lesion else None
    if found is not None and found.push:
        displacement += _mass_effect(found, displacement.shape[1:])
    return Head(
        sex=sex,
        age=age,
        to_atlas=_pose(rng, sex),
        displacement=displacement.astype(np.float32),
        roughness=_smooth(rng, 1, 7.0)[0],
        sulci=1.0 - 0.32 * ageing,
        lesion=found,
    )


def _coarse_shape() -> tuple[int, int, int]:
    from .template import BOX_SIZE

    z, y, x = (int(size // COARSE) + 1 for size in BOX_SIZE)
    return z, y, x


def _smooth(rng: np.random.Generator, channels: int, width: float) -> NDArray[np.float32]:
    """Smooth noise of unit variance on the coarse grid."""
    noise = rng.standard_normal((channels, *_coarse_shape()), np.float32)
    sigma = width / COARSE
    noise = ndimage.gaussian_filter(noise, (0, sigma, sigma, sigma), mode="wrap", truncate=3.0)
    return np.asarray(noise / noise.std(), np.float32)


def _pose(rng: np.random.Generator, sex: str) -> NDArray[np.float64]:
    """Size, proportions and the way the head lies: the map from scanner to template space."""
    scale = (_SIZE[sex] + rng.normal(0.0, _SIZE_SPREAD)) * (1.0 + rng.normal(0.0, 0.018, 3))
    pitch, yaw, roll = np.deg2rad(rng.normal(0.0, (4.0, 2.5, 2.0)))
    rotation = _turn(pitch, 0, 1) @ _turn(roll, 0, 2) @ _turn(yaw, 1, 2)
    matrix = np.diag(1.0 / scale) @ rotation.T
    return np.concatenate([matrix, rng.normal(0.0, 2.0, (3, 1))], axis=1)


def _turn(angle: float, first: int, second: int) -> NDArray[np.float64]:
    turn = np.eye(3)
    turn[first, first] = turn[second, second] = np.cos(angle)
    turn[first, second], turn[second, first] = -np.sin(angle), np.sin(angle)
    return turn


def _draw_lesion(rng: np.random.Generator, atlas: HeadAtlas) -> Lesion:
    centre = atlas.lesion_sites[rng.integers(len(atlas.lesion_sites))]
    z, y, x = (float(c) for c in centre)
    radius = rng.uniform(9.0, 17.0)
    stretch = np.clip(1.0 + rng.normal(0.0, 0.15, 3), 0.75, 1.3)
    radii = tuple(float(r) for r in np.clip(radius * stretch, 8.0, 20.0))
    if rng.random() < 0.6:
        return Lesion("tumour", (z, y, x), radii, 1.6, rng.uniform(5.0, 11.0), 0.22 * radius)  # type: ignore[arg-type]
    return Lesion("infarct", (z, y, x), radii, 3.2, 0.0, 0.0)  # type: ignore[arg-type]


def _mass_effect(lesion: Lesion, shape: tuple[int, ...]) -> NDArray[np.float32]:
    """Displacement that makes room: tissue around is found further inward in the atlas."""
    lines = [low + COARSE * np.arange(n) for low, n in zip(BOX_LOW, shape, strict=True)]
    away = np.stack(np.meshgrid(*lines, indexing="ij")) - np.reshape(lesion.centre, (3, 1, 1, 1))
    distance = np.maximum(np.linalg.norm(away, axis=0), 1.0)
    radius = float(np.mean(lesion.radii))
    # Nothing moves at the centre, most at the edge, and it fades within some 3 cm.
    strength = np.where(
        distance < radius, distance / radius, np.exp(-np.maximum(distance - radius, 0.0) / 18.0)
    )
    return np.asarray(-lesion.push * strength * away / distance, np.float32)
