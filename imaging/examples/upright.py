"""Turning X-rays upright by what their header says about rows and columns."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

_AXIS = {"R": 0, "L": 0, "A": 1, "P": 1, "H": 2, "F": 2}
#: Directions in which a picture's column and row index rise once it is upright: frontal
#: views from the patient's right to the left, lateral ones from front to back, all downwards.
_UPRIGHT = frozenset("LPF")


def upright(image: NDArray[np.generic], orientation: Sequence[str]) -> NDArray[np.generic]:
    """Turn and mirror a projection so that a radiologist can read it.

    Args:
        image: ``[rows, columns]`` as stored.
        orientation: Patient Orientation (0020,0020; PS3.3 C.7.6.1.1.1): directions along a
            row and along a column, main direction first, such as ``("L", "F")``.

    Returns:
        The image with the head at the top, and the patient's right (frontal views) or front
        (lateral views) in column 0. Unchanged if the orientation is absent or malformed.
    """
    directions = [text[:1].upper() for text in orientation]
    if len(directions) != 2 or any(direction not in _AXIS for direction in directions):
        return image
    along_row, along_column = directions
    if _AXIS[along_row] == _AXIS[along_column]:
        return image
    # Head to feet runs down the picture; seen from above, front to back does.
    if _AXIS[along_row] > _AXIS[along_column]:
        image, along_row, along_column = image.T, along_column, along_row
    if along_row not in _UPRIGHT:
        image = image[:, ::-1]
    if along_column not in _UPRIGHT:
        image = image[::-1]
    return image
