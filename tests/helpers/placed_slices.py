"""CT slices of a made-up head, sampled wherever and however they lie."""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path

import numpy as np
from dicom_files import dicom_image, save
from numpy.typing import NDArray

#: Centre and radius of a ball of air, and where the rod stands: x and y, LPS mm.
BALL, BALL_RADIUS = (-30.0, -20.0, 10.0), 14.0
ROD = (0.0, 10.0)


def head(points: NDArray[np.float64]) -> NDArray[np.int16]:
    """HU at points ``[..., 3]`` in LPS mm: a skull, an upright rod, a ball of air."""
    x, y, z = np.moveaxis(points, -1, 0)
    radius = np.sqrt(x**2 + y**2 + z**2)
    values = np.full(radius.shape, -1000, np.int16)
    values[radius < 90] = 900
    values[radius < 82] = 40
    values[(np.hypot(x - ROD[0], y - ROD[1]) < 6) & (np.abs(z) < 40)] = 500
    values[np.linalg.norm(points - np.array(BALL), axis=-1) < BALL_RADIUS] = -1000
    return values


def write_head(
    folder: Path,
    positions: Iterable[float],
    *,
    tilt: float = 0.0,
    side: int = 60,
    pixel: float = 4.0,
    **fields: object,
) -> None:
    """Write axial slices at heights of their middle, tilted around x as by a gantry.

    Args:
        folder: For the files.
        positions: Heights in mm.
        tilt: Degrees.
        side: Rows and columns.
        pixel: Their distance, mm.
        fields: Further header fields, the same for all slices.
    """
    angle = np.deg2rad(tilt)
    row = np.array([1.0, 0.0, 0.0])
    column = np.array([0.0, np.cos(angle), -np.sin(angle)])
    steps = (np.arange(side) - (side - 1) / 2) * pixel
    for number, height in enumerate(positions):
        middle = np.array([0.0, 0.0, height])
        points = middle + steps[:, None, None] * column + steps[None, :, None] * row
        header = {
            "BodyPartExamined": "HEAD",
            "ImageOrientationPatient": [*row.tolist(), *column.tolist()],
            "ImagePositionPatient": points[0, 0].tolist(),
            "PixelSpacing": [pixel, pixel],
            "InstanceNumber": number + 1,
        }
        save(dicom_image(head(points), **{**header, **fields}), folder / f"{number:03d}.dcm")
