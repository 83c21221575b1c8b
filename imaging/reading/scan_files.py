"""Reading a scan from a picture, a NIfTI file or DICOM."""

from __future__ import annotations

from pathlib import Path
from typing import Literal

import numpy as np
from numpy.typing import NDArray

from ...errors import DataError
from ...model.conditions import LABEL
from ..dicom.decode import decode_slices
from ..dicom.folder import FileEntry, list_files
from ..dicom.index import index_files
from ..dicom.pixels import HU_RANGE
from ..dicom.segmentation import read_segmentation
from ..dicom.set_aside import SetAsideError
from ..dicom.stacks.stack import Stack
from ..even_volume import even_volume
from ..lie import Lie
from ..orientation import ras_to_lps, to_canonical
from ..settings import DataSettings
from .nifti import fill_outside, load_nifti, values_of
from .pictures import open_picture
from .scan import Scan, limits_of

_PICTURES = (".png", ".jpg", ".jpeg", ".tif", ".tiff", ".bmp")


def read_scan(path: Path, *, gaps: Literal["refuse", "keep"] = "refuse") -> Scan:
    """Read a scan.

    Slices of a DICOM series that are not evenly spaced, or are shifted by a tilted gantry, are
    brought onto an even grid with right angles, so that every voxel lies where the headers say.

    Args:
        path: A picture, a NIfTI file (``.nii``, ``.nii.gz``), a DICOM file, or a folder with a
            DICOM series; of several the largest is taken.
        gaps: What becomes of places that no slice shows: a hole between slices is refused, and
            beside tilted slices there is air; or they are kept as NaN.

    Raises:
        DataError: If there is nothing, or nothing that can be read, or slices are missing.
    """
    if not path.exists():
        raise DataError(f"There is no file or folder {path}.")
    if path.is_dir():
        return _read_dicom(path, None, gaps)
    if path.name.lower().endswith((".nii", ".nii.gz")):
        volume, to_lps = read_nifti(path)
        volume = fill_outside(volume)
        return Scan(
            values=volume,
            to_lps=to_lps,
            description=None,
            form="nifti",
            limits=limits_of(volume),
        )
    if path.suffix.lower() in _PICTURES:
        return _read_picture(path)
    return _read_dicom(path.parent, path.name, gaps)


def read_nifti(path: Path) -> tuple[NDArray[np.float32], NDArray[np.float64]]:
    """Read a NIfTI file with its axes turned to the nearest canonical ones.

    Returns:
        Values ``[K, R, C]``, upwards (K), to the back (R) and to the patient's left (C), and the
        affine ``[4, 4]`` from ``(k, r, c)`` to LPS mm. Nothing is interpolated; NaN stays.

    Raises:
        DataError: As :func:`~fedscan.imaging.reading.nifti.load_nifti`.
    """
    image = load_nifti(path)
    values, to_lps = to_canonical(values_of(image), ras_to_lps(image.affine))
    return values.astype(np.float32, copy=False), to_lps


def read_segments(path: Path) -> tuple[NDArray[np.uint8], NDArray[np.float64]]:
    """Read a DICOM segmentation.

    Returns:
        Labels ``[K, R, C]`` of ``conditions.LABEL`` and ``UNKNOWN``, and the affine ``[4, 4]``
        from ``(k, r, c)`` to LPS mm.

    Raises:
        DataError: If it is none, does not say where it lies, or marks nothing of a known class.
    """
    try:
        segmentation = read_segmentation(path)
    except SetAsideError as error:
        raise DataError(
            f"{path} is not a DICOM segmentation.",
            hint="Give a NIfTI file or a DICOM SEG; as the mask of a slice also a PNG.",
        ) from error
    if not segmentation.tells_classes:
        raise DataError(
            f"{path} has no segment of a known class.",
            hint="Name a segment " + ", ".join(LABEL) + ".",
        )
    if segmentation.volume is None:
        raise DataError(f"{path} does not say where its segments lie in the patient.")
    labels = segmentation.volume.labels
    return labels, np.asarray(np.linalg.inv(segmentation.volume.to_index), np.float64)


def _read_picture(path: Path) -> Scan:
    picture = open_picture(path)
    wide = picture.mode.startswith(("I", "F"))
    values = np.asarray(picture if wide else picture.convert("L"), np.float32)
    if not np.isfinite(values).any():
        raise DataError(f"{path} holds no number: every pixel is NaN.")
    values = fill_outside(values)
    # A picture's own range is what it is shown in.
    limits = limits_of(values) if wide else (0.0, 255.0)
    return Scan(values=values[None], to_lps=None, description=None, form="png", limits=limits)


def _read_dicom(folder: Path, name: str | None, gaps: str) -> Scan:
    files = list_files(folder) if name is None else [_entry(folder, name)]
    index = index_files(folder, files, DataSettings(synthetic="accept"))
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
    description = stack.description
    pixels = decode_slices(
        folder,
        stack.slices,
        stack.shape,
        (),
        values="displayed" if description.modality == "X-ray" else "physical",
        reduce=lambda image: image,
    )
    if not pixels.images:
        raise DataError(f"No slice of {folder} can be decoded.")
    planes = [item.plane for item in pixels.slices if item.plane is not None]
    if len(planes) == len(pixels.images):
        if gaps == "refuse":
            _require_whole(Lie.of(planes), folder)
        values, to_lps = even_volume(pixels.images, planes)
        if gaps == "refuse":
            low = HU_RANGE[0] if description.modality == "CT" else float(np.nanmin(values))
            values = np.nan_to_num(values, nan=low)
    else:
        values, to_lps = np.stack(pixels.images).astype(np.float32), None
    return Scan(
        values=values,
        to_lps=to_lps,
        description=description,
        form="dicom",
        limits=limits_of(values),
        synthetic=stack.synthetic,
    )


def _entry(folder: Path, name: str) -> FileEntry:
    status = (folder / name).stat()
    return FileEntry(name, status.st_size, status.st_mtime_ns)


def _require_whole(lie: Lie, folder: Path) -> None:
    """Refuse a stack with a hole: what a command computes there would be made up."""
    for low, high in lie.holes():
        raise DataError(
            f"The slices in {folder} are not evenly spaced: most are {lie.step:.3g} mm apart, but "
            f"between two of them are {high - low:.3g} mm.",
            hint="Give the whole series; slices seem to be missing.",
        )
