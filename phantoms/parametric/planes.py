"""Where the pixels of a slice lie in the patient."""

from __future__ import annotations

import numpy as np

from ...model.planes import PLANE_ACROSS
from .points import Points
from .scene import Scene


def slice_points(
    rng: np.random.Generator, scene: Scene, plane: str, position: float, image_size: int
) -> Points:
    """Lay a slice through the patient as a radiologist reads it.

    Axial slices have the front in row 0 and the patient's right in column 0; coronal ones the
    top and the right; sagittal ones the top and the front.

    Args:
        rng: Draws the field of view and the centring.
        scene: The patient.
        plane: "axial", "coronal" or "sagittal".
        position: 0 to 1 along the plane's axis, from inferior, right or posterior.
        image_size: Height and width in pixels.
    """
    middle, extent = (scene.low + scene.high) / 2, scene.high - scene.low
    across = PLANE_ACROSS.index(plane)
    in_plane = [axis for axis in range(3) if axis != across]
    view = max(extent[axis] for axis in in_plane) / rng.uniform(0.78, 1.0)
    pixel = np.float32(view / image_size)
    steps = (np.arange(image_size, dtype=np.float32) - np.float32(image_size / 2 - 0.5)) * pixel
    slack = (view - extent[in_plane]) / 2
    offset = rng.uniform(-0.5, 0.5, 2) * np.maximum(slack, 0.02 * view)
    # Position runs to the front, y to the back.
    share = 1 - position if plane == "coronal" else position
    level = np.float32(scene.low[across] + share * extent[across])
    columns, rows = np.meshgrid(steps, steps)
    levels = np.full_like(rows, level)
    if plane == "axial":
        x, y, z = columns + middle[0], rows + middle[1], levels
        x, y = x + np.float32(offset[0]), y + np.float32(offset[1])
    elif plane == "coronal":
        x, y, z = columns + middle[0], levels, middle[2] - rows
        x, z = x + np.float32(offset[0]), z + np.float32(offset[1])
    else:
        x, y, z = levels, columns + middle[1], middle[2] - rows
        y, z = y + np.float32(offset[0]), z + np.float32(offset[1])
    return scene.points(x, y, z, float(pixel))
