"""The MNI152 template that nilearn ships, on the grid in which the head is built.

The template (ICBM 2009a, symmetric) is an average of real brains at 1 mm, without skull
and scalp. Source: Fonov et al., NeuroImage 54 (2011); files inside the nilearn package.

Axes follow DICOM throughout this package: arrays are ``[z, y, x]``, x grows to the
patient's left, y to the back, z to the top, in mm from the anterior commissure.
"""

from __future__ import annotations

from dataclasses import dataclass
from importlib.metadata import distribution

import nibabel
import numpy as np
from numpy.typing import NDArray
from scipy import ndimage

#: A template's file, by what it shows.
_FILE = "nilearn/datasets/data/mni_icbm152_{}_tal_nlin_sym_09a_converted.nii.gz"
#: Lower corner (z, y, x) in mm and extent of the box that holds a whole head.
BOX_LOW = (-96.0, -122.0, -104.0)
BOX_SIZE = (204.0, 246.0, 208.0)


@dataclass(frozen=True, eq=False)
class Brain:
    """The template on the head grid.

    Attributes:
        spacing: Grid spacing in mm, the same on each axis.
        grey: Fraction of grey matter, float32 ``[Z, Y, X]`` in [0, 1].
        white: Fraction of white matter, likewise.
        t1: The template's T1 intensity, about 1 in deep white matter.
    """

    spacing: float
    grey: NDArray[np.float32]
    white: NDArray[np.float32]
    t1: NDArray[np.float32]


def axes(spacing: float) -> tuple[NDArray[np.float32], ...]:
    """Coordinates in mm of the grid's points along z, y and x, shaped to broadcast."""
    lines = []
    for axis, (low, size) in enumerate(zip(BOX_LOW, BOX_SIZE, strict=True)):
        shape = [1, 1, 1]
        shape[axis] = -1
        count = round(size / spacing) + 1
        lines.append((low + spacing * np.arange(count, dtype=np.float32)).reshape(shape))
    return tuple(lines)


def load_brain(spacing: float) -> Brain:
    """Load the template onto the head grid.

    Args:
        spacing: Grid spacing in mm.
    """
    grey = _resample("gm", spacing)
    white = _resample("wm", spacing)
    t1 = _resample("t1", spacing)
    # The three templates are averages of their own; together they may pass one by a rounding.
    total = np.maximum(grey + white, 1.0)
    deep_white = float(np.median(t1[white > 0.95]))
    return Brain(spacing, grey / total, white / total, t1 / deep_white)


def _read(shows: str) -> tuple[NDArray[np.float32], NDArray[np.float64]]:
    """Read a template, at most 1, ``[x, y, z]``, and the affine of its voxels.

    As ``nilearn.datasets`` does: to import that takes seconds, and it would be for these files.
    """
    file = distribution("nilearn").locate_file(_FILE.format(shows))
    image = nibabel.Nifti1Image.from_filename(str(file))
    volume = np.asarray(image.dataobj).astype(np.float32)
    return volume / volume.max(), np.asarray(image.affine)


def _resample(shows: str, spacing: float) -> NDArray[np.float32]:
    """Average onto the grid: the template's 1 mm voxels are smoothed to the spacing first."""
    volume, affine = _read(shows)
    volume = ndimage.gaussian_filter(volume, 0.35 * spacing)
    z, y, x = axes(spacing)
    # Right-anterior-superior voxel indices of left-posterior-superior grid points.
    lines = (
        (-x.ravel() - affine[0, 3]) / affine[0, 0],
        (-y.ravel() - affine[1, 3]) / affine[1, 1],
        (z.ravel() - affine[2, 3]) / affine[2, 2],
    )
    for axis, line in enumerate(lines):
        volume = _interpolate(volume, line, axis)
    return np.ascontiguousarray(volume.transpose(2, 1, 0))


def _interpolate(
    volume: NDArray[np.float32], at: NDArray[np.floating], axis: int
) -> NDArray[np.float32]:
    """Interpolate linearly along one axis; zero outside."""
    count = volume.shape[axis]
    below = np.floor(at).astype(int)
    weight = (at - below).astype(np.float32)
    shape = [1, 1, 1]
    shape[axis] = -1
    result = np.zeros((), np.float32)
    for index, share in ((below, 1.0 - weight), (below + 1, weight)):
        share = np.where((index >= 0) & (index < count), share, 0.0).astype(np.float32)
        line = np.take(volume, np.clip(index, 0, count - 1), axis=axis)
        result = result + line * share.reshape(shape)
    return np.asarray(result, np.float32)
