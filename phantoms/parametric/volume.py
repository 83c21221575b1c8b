"""Whole volumes of a parametric patient, for work in three dimensions."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from .contrast import CONTRASTS, draw_values
from .patient import draw_patient
from .points import Floats


@dataclass(frozen=True, eq=False)
class ParametricVolume:
    """One patient on a grid. Arrays are ``[Z, Y, X]``: upwards, to the back, to the left.

    Attributes:
        labels: uint8, codes of ``conditions.LABEL``.
        ct: float32, Hounsfield units.
        t1: float32, relative T1-weighted signal (about 0 to 1), without bias or noise.
        t2: float32, relative T2-weighted signal, likewise.
        voxel: Width of the cubic voxels in millimetres.
        body_part: "head", "chest" or "abdomen".
        finding: Word of the closed vocabulary.
        sex: "female" or "male".
        years: Age.
    """

    labels: NDArray[np.uint8]
    ct: Floats
    t1: Floats
    t2: Floats
    voxel: float
    body_part: str
    finding: str
    sex: str
    years: float


def parametric_volume(
    rng: np.random.Generator,
    body_part: str,
    shape: tuple[int, int, int] = (64, 64, 64),
    *,
    finding: str | None = None,
) -> ParametricVolume:
    """Draw one random patient as a volume in every contrast.

    Args:
        rng: Source of all randomness; the same state gives the same volume.
        body_part: "head", "chest" or "abdomen".
        shape: Voxels along z, y and x; the body region fits into them.
        finding: The finding to build in; drawn at random if ``None``.

    Raises:
        ConfigurationError: If the body part or the finding is unknown there.
    """
    scene = draw_patient(rng, body_part, finding)
    middle, extent = (scene.low + scene.high) / 2, scene.high - scene.low
    voxel = float(np.max(extent[::-1] / np.array(shape)))
    z, y, x = (
        (np.arange(count, dtype=np.float32) - np.float32(count / 2 - 0.5)) * np.float32(voxel)
        + middle[axis]
        for count, axis in zip(shape, (2, 1, 0), strict=True)
    )
    grid = np.meshgrid(z, y, x, indexing="ij")
    points = scene.points(grid[2], grid[1], grid[0], voxel)
    tables = [draw_values(rng, modality, body_part).table for modality in CONTRASTS]
    values = {name: np.concatenate([table[name] for table in tables]) for name in tables[0]}
    canvas = scene.paint(points, values)
    texture = 0.7 * scene.grain(points) + 0.7 * scene.mottle(points)
    ct, t1, t2 = (canvas.values[2 * i] + canvas.values[2 * i + 1] * texture for i in range(3))
    return ParametricVolume(
        labels=canvas.labels,
        ct=np.clip(ct, -1000, None),
        t1=np.maximum(t1, 0),
        t2=np.maximum(t2, 0),
        voxel=voxel,
        body_part=body_part,
        finding=scene.finding,
        sex=scene.sex,
        years=scene.years,
    )
