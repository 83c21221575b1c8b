"""NIfTI volumes as their files hold them."""

from __future__ import annotations

from pathlib import Path

import nibabel
import numpy as np
from numpy.typing import NDArray

from ...errors import DataError


def load_nifti(path: Path) -> nibabel.Nifti1Image:
    """Open a NIfTI file that holds one volume.

    Returns:
        An image of float32 ``[I, J, K]`` with the file's own header and affine (indices to RAS+
        mm). A fourth axis of length one is dropped; NaN stays.

    Raises:
        DataError: If it is missing, is no NIfTI file, has not three dimensions or is infinite
            somewhere.
    """
    try:
        image = nibabel.load(path)
        if not isinstance(image, nibabel.Nifti1Pair):
            raise ValueError("another format")
        values = np.asarray(image.dataobj, np.float32)
    except FileNotFoundError as error:
        raise DataError(f"There is no file {path}.") from error
    except (
        nibabel.filebasedimages.ImageFileError,
        nibabel.wrapstruct.WrapStructError,
        OSError,
        ValueError,
        EOFError,
    ) as error:
        raise DataError(f"{path} is not a NIfTI file.") from error
    if np.isinf(values).any() or not np.isfinite(image.affine).all():
        raise DataError(
            f"{path} has infinite values.", hint="What is not known may be NaN, but not infinite."
        )
    if values.ndim == 4 and values.shape[3] == 1:
        values = values[..., 0]
    if values.ndim != 3:
        raise DataError(f"{path} has {values.ndim} dimensions; a volume has three.")
    return nibabel.Nifti1Image(values, image.affine, image.header)


def values_of(image: nibabel.Nifti1Image) -> NDArray[np.float32]:
    """Return an image's voxels ``[I, J, K]``."""
    return np.asarray(image.dataobj, np.float32)
