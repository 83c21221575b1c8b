"""NIfTI volumes as their files hold them."""

from __future__ import annotations

import zlib
from pathlib import Path

import nibabel
import numpy as np
from numpy.typing import NDArray

from ...errors import DataError

#: Share of the box of its axes that a voxel must fill: below, its axes lie in one plane.
_LEAST_SHARE = 1e-3


def load_nifti(path: Path) -> nibabel.Nifti1Image:
    """Open a NIfTI file that holds one volume.

    Returns:
        An image of float32 ``[I, J, K]`` with the file's own header and affine (indices to RAS+
        mm). A fourth axis of length one is dropped; what is not finite is NaN.

    Raises:
        DataError: If it is missing, is no NIfTI file, has not three dimensions, holds colours,
            complex numbers or no number at all, or does not say where its voxels lie.
    """
    try:
        image = nibabel.load(path)
        if not isinstance(image, nibabel.Nifti1Pair):
            raise ValueError("another format")
        kind = image.get_data_dtype()
        voxels = None if kind.names or kind.kind == "c" else np.asanyarray(image.dataobj)
        affine = np.asarray(image.affine, np.float64)
    except FileNotFoundError as error:
        raise DataError(f"There is no file {path}.") from error
    except (
        nibabel.filebasedimages.ImageFileError,
        nibabel.spatialimages.HeaderDataError,
        nibabel.wrapstruct.WrapStructError,
        OSError,
        ValueError,
        TypeError,
        KeyError,
        OverflowError,
        EOFError,
        MemoryError,
        zlib.error,
    ) as error:
        raise DataError(f"{path} is not a NIfTI file, or is damaged.") from error
    if voxels is None:
        what = "colours" if kind.names else "complex numbers"
        raise DataError(f"{path} holds {what}; a scan has one number for each voxel.")
    if voxels.ndim == 4 and voxels.shape[3] == 1:
        voxels = voxels[..., 0]
    if voxels.ndim != 3:
        raise DataError(f"{path} has {voxels.ndim} dimensions; a volume has three.")
    with np.errstate(over="ignore", invalid="ignore"):
        values = voxels.astype(np.float32)
    values = np.where(np.isfinite(values), values, np.float32(np.nan))
    if not np.isfinite(values).any():
        raise DataError(f"{path} holds no number: every voxel is empty or NaN.")
    _require_place(affine, path)
    return nibabel.Nifti1Image(values, affine, image.header)


def _require_place(affine: NDArray[np.float64], path: Path) -> None:
    axes = affine[:3, :3]
    with np.errstate(over="ignore", invalid="ignore"):
        box = float(np.prod(np.linalg.norm(axes, axis=0)))
        volume = abs(float(np.linalg.det(axes))) if np.isfinite(axes).all() else 0.0
    if np.isfinite([*affine.ravel(), box]).all() and volume > _LEAST_SHARE * box > 0:
        return
    raise DataError(
        f"{path} does not say where its voxels lie: its affine is not finite or has no volume.",
        hint="Set sform or qform of its header, for example with nibabel or fslorient.",
    )


def values_of(image: nibabel.Nifti1Image) -> NDArray[np.float32]:
    """Return an image's voxels ``[I, J, K]``."""
    return np.asarray(image.dataobj, np.float32)


def fill_outside(values: NDArray[np.float32]) -> NDArray[np.float32]:
    """Replace NaN, which marks what lies outside the body or the scan, by the lowest value."""
    return np.nan_to_num(values, nan=float(np.nanmin(values)))
