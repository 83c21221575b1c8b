"""Reading a scan from a picture, a NIfTI file or DICOM."""

from __future__ import annotations

from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from PIL import Image, UnidentifiedImageError

from ...errors import DataError
from ..dicom.decode import decode_slices
from ..dicom.folder import list_files
from ..dicom.geometry import stack_affine
from ..dicom.index import Stack, index_files
from ..dicom.segmentation import read_segmentation
from ..dicom.set_aside import SetAsideError
from ..orientation import ras_to_lps, to_canonical
from ..settings import DataSettings
from .nifti import load_nifti, values_of
from .scan import Scan, limits_of

_PICTURES = (".png", ".jpg", ".jpeg", ".tif", ".tiff", ".bmp")


def read_scan(path: Path) -> Scan:
    """Read a scan.

    Args:
        path: A picture, a NIfTI file (``.nii``, ``.nii.gz``), a DICOM file, or a folder with a
            DICOM series; of several the largest is taken.

    Raises:
        DataError: If there is nothing, or nothing that can be read.
    """
    if not path.exists():
        raise DataError(f"There is no file or folder {path}.")
    if path.is_dir():
        return _read_dicom(path, None)
    if path.name.lower().endswith((".nii", ".nii.gz")):
        volume, to_lps = read_nifti(path)
        volume = np.nan_to_num(volume)
        return Scan(
            values=volume,
            to_lps=to_lps,
            description=None,
            form="nifti",
            limits=limits_of(volume),
        )
    if path.suffix.lower() in _PICTURES:
        return _read_picture(path)
    return _read_dicom(path.parent, path.name)


def read_nifti(path: Path) -> tuple[NDArray[np.float32], NDArray[np.float64]]:
    """Read a NIfTI file with its axes turned to the nearest canonical ones.

    Returns:
        Values ``[K, R, C]``, upwards (K), to the back (R) and to the patient's left (C), and the
        affine ``[4, 4]`` from ``(k, r, c)`` to LPS mm. Nothing is interpolated; NaN stays.

    Raises:
        DataError: If it is no NIfTI file or has not three dimensions.
    """
    image = load_nifti(path)
    values, to_lps = to_canonical(values_of(image), ras_to_lps(image.affine))
    return values.astype(np.float32, copy=False), to_lps


def read_segments(path: Path) -> tuple[NDArray[np.uint8], NDArray[np.float64]]:
    """Read a DICOM segmentation.

    Returns:
        Labels ``[K, R, C]`` of ``conditions.LABEL``, and the affine ``[4, 4]`` from ``(k, r, c)``
        to LPS mm.

    Raises:
        DataError: If it is none, or does not say where it lies.
    """
    try:
        segmentation = read_segmentation(path)
    except SetAsideError as error:
        raise DataError(
            f"{path} is not a DICOM segmentation.",
            hint="Give a NIfTI file or a DICOM SEG; as the mask of a slice also a PNG.",
        ) from error
    if segmentation.volume is None:
        raise DataError(f"{path} does not say where its segments lie in the patient.")
    labels = segmentation.volume.labels
    return labels, np.asarray(np.linalg.inv(segmentation.volume.to_index), np.float64)


def _read_picture(path: Path) -> Scan:
    try:
        with Image.open(path) as picture:
            wide = picture.mode.startswith(("I", "F"))
            values = np.asarray(picture if wide else picture.convert("L"), np.float32)
    except (UnidentifiedImageError, OSError) as error:
        raise DataError(f"{path} is not a picture.") from error
    if not np.isfinite(values).all():
        raise DataError(f"{path} has values that are not finite.")
    # A picture's own range is what it is shown in.
    limits = limits_of(values) if wide else (0.0, 255.0)
    return Scan(values=values[None], to_lps=None, description=None, form="png", limits=limits)


def _read_dicom(folder: Path, name: str | None) -> Scan:
    files = [entry for entry in list_files(folder) if name in (None, entry.path)]
    index = index_files(folder, files, DataSettings())
    stacks: list[Stack] = [
        stack
        for patient in index.patients
        for study in patient.studies
        for series in study.series
        for stack in series.stacks
    ]
    if not stacks:
        reasons = ", ".join(str(reason.value) for reason in index.set_aside) or "no files"
        raise DataError(
            f"{folder / (name or '')} holds no image that can be used: {reasons}.",
            hint="Give a PNG, a NIfTI file, or DICOM of one series.",
        )
    stack = max(stacks, key=lambda one: len(one.slices))
    shown = stack.description
    decoded = decode_slices(
        folder,
        stack.slices,
        stack.shape,
        (),
        values="displayed" if shown.modality == "X-ray" else "physical",
        reduce=lambda image: image,
    )
    if not decoded.images:
        raise DataError(f"No slice of {folder} can be decoded.")
    planes = [item.plane for item in decoded.slices if item.plane is not None]
    values = np.stack(decoded.images).astype(np.float32)
    return Scan(
        values=values,
        to_lps=stack_affine(planes) if len(planes) == len(values) else None,
        description=shown,
        form="dicom",
        limits=limits_of(values),
        synthetic=stack.synthetic,
    )
