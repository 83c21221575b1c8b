"""Volumes become pictures: in the acquired plane, or in all three after resampling."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import pairwise
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ...model.intensity import hounsfield_to_model, percentile_to_model
from ...model.planes import PLANES, stacking_axis
from ..dicom.decode import Decoded
from ..dicom.geometry import Plane, slice_step, stack_affine
from ..orientation import to_canonical
from .resample import fitted_size, resize_images, resize_labels

#: Below these, planes across the acquired one would be stripes rather than pictures.
MIN_SLICES_TO_REFORMAT = 8
MAX_STEP_TO_REFORMAT_MM = 8.0


@dataclass(frozen=True, eq=False)
class Pictures:
    """Upright pictures of one plane, in model values, before padding.

    Attributes:
        plane: One of ``description.PLANES``.
        images: ``[N, H, W]`` in [-1, 1].
        labels: ``[N, H, W]`` or ``None``.
        heights: Distance towards superior, anterior or left, mm, ``[N]``.
        step: Distance between pictures, mm.
    """

    plane: str
    images: NDArray[np.float32]
    labels: NDArray[np.uint8] | None
    heights: NDArray[np.float64]
    step: float


def can_reformat(planes: Sequence[Plane]) -> bool:
    """Whether slices are close and many enough to be cut across."""
    gaps = [b.depth - a.depth for a, b in pairwise(planes)]
    return len(planes) >= MIN_SLICES_TO_REFORMAT and max(gaps) <= MAX_STEP_TO_REFORMAT_MM


def native_pictures(decoded: Decoded, *, hounsfield: bool, step: float) -> Pictures:
    """Orient slices as acquired.

    Args:
        decoded: Slices sorted by depth, resized.
        hounsfield: Whether values are HU; otherwise they are scaled over the whole volume.
        step: Distance between the decoded slices, mm.
    """
    planes = _planes(decoded)
    affine = stack_affine(planes)
    volume, _ = to_canonical(_model_values(np.stack(decoded.images), hounsfield), affine)
    labels = None
    if decoded.labels is not None:
        size = decoded.images[0].shape
        labels, _ = to_canonical(resize_labels(np.stack(decoded.labels), size), affine)
    plane = planes[0].name
    depths = np.array([item.depth for item in planes])
    return Pictures(
        plane=plane,
        images=_cut(volume, plane),
        labels=None if labels is None else _cut(labels, plane),
        heights=np.asarray(-depths if plane == "coronal" else depths, np.float64),
        step=step,
    )


def reformatted_pictures(
    decoded: Decoded, *, hounsfield: bool, spacing: Sequence[float], image_size: int
) -> list[Pictures]:
    """Resample a volume to isotropic voxels and cut it in all three planes.

    Args:
        decoded: Slices sorted by depth, already at the isotropic in-plane size.
        hounsfield: As for :func:`native_pictures`.
        spacing: Distance between the decoded images' rows and columns, mm.
        image_size: Voxels along the longest side.
    """
    planes = _planes(decoded)
    step = slice_step(planes)
    depths = np.array([item.depth for item in planes])
    count = max(2, round((depths[-1] - depths[0]) / step) + 1)
    rows, columns = decoded.images[0].shape
    size, pixel = fitted_size((count, rows, columns), (step, *spacing), image_size)
    even = np.interp(np.linspace(depths[0], depths[-1], count), depths, np.arange(len(depths)))
    volume = _between(np.stack(decoded.images), even)
    volume = resize_images(volume[None], size)[0]
    affine = stack_affine([planes[0], planes[-1]])
    oriented, _ = to_canonical(_model_values(volume, hounsfield), affine)
    labels = None
    if decoded.labels is not None:
        flat = resize_labels(np.stack(decoded.labels), (rows, columns))
        nearest = resize_labels(flat[np.rint(even).astype(np.int64)][None], size)[0]
        labels, _ = to_canonical(nearest, affine)
    return [
        Pictures(
            plane=plane,
            images=_cut(oriented, plane),
            labels=None if labels is None else _cut(labels, plane),
            heights=np.arange(oriented.shape[axis], dtype=np.float64)
            * (-pixel if plane == "coronal" else pixel),
            step=pixel,
        )
        for axis, plane in enumerate(PLANES)
    ]


def _planes(decoded: Decoded) -> list[Plane]:
    return [item.plane for item in decoded.slices if item.plane is not None]


def _model_values(volume: NDArray[np.float32], hounsfield: bool) -> NDArray[np.float32]:
    return hounsfield_to_model(volume) if hounsfield else percentile_to_model(volume)


def _between(volume: NDArray[np.float32], index: NDArray[np.float64]) -> NDArray[np.float32]:
    """Interpolate slices linearly at fractional indices: evens out gaps and lost slices."""
    below = np.floor(index).astype(np.int64)
    above = np.minimum(below + 1, len(volume) - 1)
    share = (index - below).astype(np.float32)[:, None, None]
    return volume[below] * (1 - share) + volume[above] * share


def _cut(volume: NDArray[Any], plane: str) -> NDArray[Any]:
    """Cut ``[Z, Y, X]`` into upright pictures ``[N, H, W]`` of one plane."""
    pictures = np.moveaxis(volume, stacking_axis(plane), 0)
    # Height rises with the index along z, but a picture's first row is its top.
    return pictures if plane == "axial" else pictures[:, ::-1]
