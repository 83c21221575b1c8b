"""A made-up patient: who it is and how its head differs from the average."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy import ndimage

from .atlas import COARSE, HeadAtlas
from .lesion import Lesion, draw_lesions, mass_effect
from .template import BOX_LOW

#: Mean size and spread of heads relative to the template; male heads are larger.
_SIZE = {"F": 0.965, "M": 1.0}
_SIZE_SPREAD = 0.022


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
        lesions: Its lesions; none in a healthy brain.
    """

    sex: str
    age: int
    to_atlas: NDArray[np.float64]
    displacement: NDArray[np.float32]
    roughness: NDArray[np.float32]
    sulci: float
    lesions: tuple[Lesion, ...]


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
    ventricles = float(np.clip(-0.8 + 7.3 * ageing + rng.normal(0.0, 0.8), -2.5, 8.0))
    cortex = float(np.clip(2.6 * ageing + rng.normal(0.0, 0.25), -0.3, 3.2))
    shape = atlas.ventricle_push.shape[1:]
    displacement = 2.2 * _smooth(rng, (3, *shape), 26.0)
    # Each brain has its own folds, but no bone is as bumpy.
    displacement += 1.6 * _smooth(rng, (3, *shape), 9.0) * atlas.interior
    displacement += ventricles * atlas.ventricle_push + cortex * atlas.cortex_pull
    lesions = draw_lesions(rng, atlas.lesion_sites) if lesion else ()
    points = np.indices(shape) * COARSE + np.reshape(BOX_LOW, (3, 1, 1, 1))
    for mass in lesions:
        displacement += mass_effect(mass, points)
    return Head(
        sex=sex,
        age=age,
        to_atlas=_pose(rng, sex),
        displacement=np.asarray(displacement, np.float32),
        roughness=_smooth(rng, (1, *shape), 7.0)[0],
        sulci=1.0 - 0.32 * ageing,
        lesions=lesions,
    )


def _smooth(rng: np.random.Generator, shape: tuple[int, ...], width: float) -> NDArray[np.float32]:
    """Smooth noise of unit variance, ``[channels, z, y, x]`` on the coarse grid."""
    sigma = width / COARSE
    noise = rng.standard_normal(shape, np.float32)
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
