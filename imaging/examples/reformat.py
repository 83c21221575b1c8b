"""Volumes become pictures: in the acquired plane, or in all three after resampling."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ...model.intensity import hounsfield_to_model, percentile_to_model
from ...model.planes import PLANES, stacking_axis
from ..dicom.decode import Decoded
from ..dicom.geometry import Plane, stack_affine
from ..lie import Lie
from ..orientation import to_canonical
from .resample import fitted_size, resize_images, resize_labels
from .untilt import Upright

#: Below these, planes across the acquired one would be stripes rather than pictures.
MIN_SLICES_TO_REFORMAT = 8
MAX_STEP_TO_REFORMAT_MM = 8.0
#: Layers of slices that are read for each layer of voxels at most.
_LAYERS_PER_VOXEL = 4


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
    return (
        len(planes) >= MIN_SLICES_TO_REFORMAT
        and float(np.diff(Lie.of(planes).depths).max()) <= MAX_STEP_TO_REFORMAT_MM
    )


def native_pictures(pixels: Decoded, *, hounsfield: bool, step: float) -> Pictures:
    """Orient slices as acquired.

    Args:
        pixels: Slices sorted by depth, resized.
        hounsfield: Whether values are HU; otherwise they are scaled over the whole volume.
        step: Distance between the decoded slices, mm.
    """
    planes = _planes(pixels)
    affine = stack_affine(planes)
    volume, _ = to_canonical(_model_values(np.stack(pixels.images), hounsfield), affine)
    labels = None
    if pixels.labels is not None:
        size = pixels.images[0].shape
        labels, _ = to_canonical(resize_labels(np.stack(pixels.labels), size), affine)
    plane = planes[0].name
    depths = Lie.of(planes).depths + planes[0].depth
    return Pictures(
        plane=plane,
        images=_cut(volume, plane),
        labels=None if labels is None else _cut(labels, plane),
        heights=np.asarray(-depths if plane == "coronal" else depths, np.float64),
        step=step,
    )


def reformatted_size(
    planes: Sequence[Plane], shape: tuple[int, int], image_size: int
) -> tuple[tuple[int, int], float]:
    """Find the size at which a volume's slices are decoded, and its isotropic pixel.

    Args:
        planes: Where all slices of the volume lie.
        shape: Rows and columns.
        image_size: Voxels along the longest side.

    Returns:
        Rows and columns, and the pixel's side in mm.
    """
    lie, spacing = Lie.of(planes), planes[0].spacing
    if not lie.is_straight:
        pixel = Upright.around(lie, shape, image_size).pixel
        rows, columns = (round(n * s / pixel) for n, s in zip(shape, spacing, strict=True))
        return (max(1, rows), max(1, columns)), pixel
    extent = max(1, round(lie.depths[-1] / lie.step + 1))
    sizes, pixel = fitted_size((extent, *shape), (lie.step, *spacing), image_size)
    return (sizes[1], sizes[2]), pixel


def reformatted_pictures(
    pixels: Decoded, *, hounsfield: bool, shape: tuple[int, int], pixel: float, image_size: int
) -> list[Pictures]:
    """Resample a volume to isotropic voxels and cut it in all three planes.

    Args:
        pixels: Slices sorted by depth, already at the isotropic in-plane size.
        hounsfield: As for :func:`native_pictures`.
        shape: Rows and columns of the slices in their files.
        pixel: Side of the isotropic voxels, mm.
        image_size: Voxels along the longest side.
    """
    lie = Lie.of(_planes(pixels))
    if lie.is_straight:
        volume, labels, affine, pixel = _straight(pixels, lie, pixel, image_size)
        volume = _model_values(volume, hounsfield)
    else:
        grid = Upright.around(lie, shape, image_size)
        values = _model_values(np.stack(pixels.images), hounsfield)
        volume = grid.sample(list(values), lie, shape, order=1, outside=-1.0)
        labels, affine, pixel = None, grid.to_lps, grid.pixel
        if pixels.labels is not None:
            nearest = grid.sample(pixels.labels, lie, shape, order=0, outside=0.0)
            labels = nearest.astype(np.uint8)
    canonical, _ = to_canonical(volume, affine)
    masks = None if labels is None else to_canonical(labels, affine)[0]
    return [
        Pictures(
            plane=plane,
            images=_cut(canonical, plane),
            labels=None if masks is None else _cut(masks, plane),
            heights=np.arange(canonical.shape[axis], dtype=np.float64)
            * (-pixel if plane == "coronal" else pixel),
            step=pixel,
        )
        for axis, plane in enumerate(PLANES)
    ]


def _straight(
    pixels: Decoded, lie: Lie, pixel: float, image_size: int
) -> tuple[NDArray[np.float32], NDArray[np.uint8] | None, NDArray[np.float64], float]:
    """Bring slices that lie one upon another to even depths and isotropic voxels."""
    count = max(2, round(lie.depths[-1] / lie.step) + 1)
    rows, columns = pixels.images[0].shape
    size, pixel = fitted_size((count, rows, columns), (lie.step, pixel, pixel), image_size)
    # Layers beyond that would be averaged away, and a series may be of any length.
    layers = min(count, _LAYERS_PER_VOXEL * size[0])
    even = lie.slice_at(np.linspace(0.0, lie.depths[-1], layers))
    volume = resize_images(_interpolate_at(np.stack(pixels.images), even)[None], size)[0]
    labels = None
    if pixels.labels is not None:
        flat = resize_labels(np.stack(pixels.labels), (rows, columns))
        labels = resize_labels(flat[np.rint(even).astype(np.int64)][None], size)[0]
    return volume, labels, stack_affine([lie.planes[0], lie.planes[-1]]), pixel


def _planes(pixels: Decoded) -> list[Plane]:
    return [item.plane for item in pixels.slices if item.plane is not None]


def _model_values(volume: NDArray[np.float32], hounsfield: bool) -> NDArray[np.float32]:
    return hounsfield_to_model(volume) if hounsfield else percentile_to_model(volume)


def _interpolate_at(volume: NDArray[np.float32], index: NDArray[np.float64]) -> NDArray[np.float32]:
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
