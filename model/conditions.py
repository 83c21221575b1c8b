"""Spatial conditions: what a mask, an edge map and a partial image look like as channels.

A stack of conditions is one float32 array of shape ``[SPATIAL_CHANNELS, H, W]``. Absent
conditions are all zero, and a presence channel tells "no mask given" from "a mask that is empty
here"; where a mask marks something of no known class, none is given.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

#: Label values in a mask: index + 1 in this tuple; 0 is background.
MASK_CLASSES: tuple[str, ...] = (
    "body",  # soft tissue, muscle, fat, scalp
    "bone",
    "lung",
    "heart",  # heart and large vessels
    "brain",
    "fluid",  # ventricles and other cerebrospinal fluid
    "organ",  # solid abdominal organs
    "lesion",
)
LABEL = {name: value for value, name in enumerate(MASK_CLASSES, start=1)}
#: Label of what is marked but of none of these classes: not background, and not told apart.
UNKNOWN = 255

#: Channel layout: one-hot mask, mask present, edges, edges present, partial image, known pixels.
MASK_PRESENT = len(MASK_CLASSES)
EDGES = MASK_PRESENT + 1
EDGES_PRESENT = EDGES + 1
PARTIAL = EDGES_PRESENT + 1
PARTIAL_KNOWN = PARTIAL + 1
SPATIAL_CHANNELS = PARTIAL_KNOWN + 1


def spatial_conditions(
    shape: tuple[int, int],
    *,
    mask: NDArray[np.uint8] | None = None,
    edges: NDArray[np.float32] | None = None,
    partial: NDArray[np.float32] | None = None,
    known_pixels: NDArray[np.bool_] | None = None,
) -> NDArray[np.float32]:
    """Stack the given conditions into one array.

    Args:
        shape: ``(H, W)`` in pixels.
        mask: Label map ``[H, W]`` with the values of :data:`LABEL` and :data:`UNKNOWN`.
        edges: Edge strength ``[H, W]`` in [0, 1].
        partial: Image ``[H, W]`` in [-1, 1]; only its known pixels are used.
        known_pixels: Which pixels of ``partial`` are given, ``[H, W]``; required with it.

    Returns:
        Array ``[SPATIAL_CHANNELS, H, W]``, float32.

    Raises:
        ValueError: If an array has another shape, or ``partial`` comes without ``known_pixels``.

    >>> import fedscan, numpy as np
    >>> mask = np.zeros((32, 32), np.uint8)
    >>> fedscan.spatial_conditions((32, 32), mask=mask).shape[1:]
    (32, 32)
    """
    stack = np.zeros((SPATIAL_CHANNELS, *shape), np.float32)
    for name, array in (
        ("mask", mask),
        ("edges", edges),
        ("partial", partial),
        ("known_pixels", known_pixels),
    ):
        if array is not None and array.shape != shape:
            raise ValueError(f"{name} has shape {array.shape}, expected {shape}")
    if mask is not None:
        for value in range(1, len(MASK_CLASSES) + 1):
            stack[value - 1] = mask == value
        stack[MASK_PRESENT] = mask != UNKNOWN
    if edges is not None:
        stack[EDGES] = edges
        stack[EDGES_PRESENT] = 1.0
    if partial is not None:
        if known_pixels is None:
            raise ValueError("partial needs known_pixels, the map of its given pixels")
        stack[PARTIAL] = np.where(known_pixels, partial, 0.0)
        stack[PARTIAL_KNOWN] = known_pixels
    return stack
