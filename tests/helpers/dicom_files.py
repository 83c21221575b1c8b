"""Small DICOM files, written for the tests."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from numpy.typing import NDArray
from pydicom.dataset import Dataset, FileMetaDataset
from pydicom.uid import (
    CTImageStorage,
    DigitalXRayImageStorageForPresentation,
    ExplicitVRLittleEndian,
    MRImageStorage,
    generate_uid,
)

_CLASSES = {"CT": CTImageStorage, "MR": MRImageStorage}


def dicom_image(pixels: NDArray[np.generic], **fields: object) -> Dataset:
    """Make a valid grey image; ``fields`` replace or (``None``) remove header fields."""
    ds = Dataset()
    ds.Modality = str(fields.pop("Modality", "CT"))
    ds.SOPClassUID = _CLASSES.get(ds.Modality, DigitalXRayImageStorageForPresentation)
    ds.SOPInstanceUID = generate_uid()
    ds.PatientID = "patient"
    ds.PatientName = "Doe^Jane"
    ds.StudyInstanceUID = "1.2.3"
    ds.SeriesInstanceUID = "1.2.3.4"
    ds.BodyPartExamined = "CHEST"
    ds.SamplesPerPixel = 1
    ds.PhotometricInterpretation = "MONOCHROME2"
    if pixels.ndim == 3:
        ds.NumberOfFrames = len(pixels)
    ds.Rows, ds.Columns = pixels.shape[-2:]
    ds.BitsAllocated = ds.BitsStored = 8 * pixels.dtype.itemsize
    ds.HighBit = ds.BitsStored - 1
    ds.PixelRepresentation = int(pixels.dtype.kind == "i")
    if ds.Modality in _CLASSES:
        ds.ImageOrientationPatient = [1, 0, 0, 0, 1, 0]
        ds.ImagePositionPatient = [0, 0, 0]
        ds.PixelSpacing = [1, 1]
    if ds.Modality == "CT":
        ds.RescaleSlope, ds.RescaleIntercept = 1, 0
    raw = np.ascontiguousarray(pixels).astype(pixels.dtype.newbyteorder("<"))
    ds.PixelData = raw.tobytes() + b"\0" * (raw.nbytes % 2)
    for keyword, value in fields.items():
        if value is None:
            delattr(ds, keyword)
        else:
            setattr(ds, keyword, value)
    return ds


def save(ds: Dataset, path: Path) -> Path:
    """Save a dataset as a DICOM file."""
    ds.file_meta = FileMetaDataset()
    ds.file_meta.MediaStorageSOPClassUID = ds.SOPClassUID
    ds.file_meta.MediaStorageSOPInstanceUID = ds.SOPInstanceUID
    ds.file_meta.TransferSyntaxUID = ExplicitVRLittleEndian
    path.parent.mkdir(parents=True, exist_ok=True)
    ds.save_as(path, enforce_file_format=True)
    return path


@pytest.fixture
def make_image() -> Callable[..., Dataset]:
    return dicom_image


@pytest.fixture
def save_dicom() -> Callable[[Dataset, Path], Path]:
    return save


@pytest.fixture
def write_image() -> Callable[..., Path]:
    """Write one image: ``write_image(path, pixels, **fields)``."""

    def write(path: Path, pixels: NDArray[np.generic], **fields: object) -> Path:
        return save(dicom_image(pixels, **fields), path)

    return write


@pytest.fixture
def write_volume() -> Callable[..., list[Path]]:
    """Write a volume ``[Z, Y, X]`` (to head, back, left) as slices of any orientation.

    ``axes`` says which volume axis slices, rows and columns run along, ``flips`` which of
    them run backwards; the header says so too. ``spacing`` is that of the volume's axes, mm.
    """

    def write(
        folder: Path,
        volume: NDArray[np.generic],
        *,
        axes: tuple[int, int, int] = (0, 1, 2),
        flips: tuple[bool, bool, bool] = (False, False, False),
        spacing: tuple[float, float, float] = (1.0, 1.0, 1.0),
        **fields: object,
    ) -> list[Path]:
        size = np.array(volume.shape)
        step = np.diag(spacing)[:, ::-1]  # index steps along z, y, x as (x, y, z) vectors
        vectors = [step[axis] * (-1 if flip else 1) for axis, flip in zip(axes, flips, strict=True)]
        start = sum(
            (step[axis] * (size[axis] - 1) for axis, flip in zip(axes, flips, strict=True) if flip),
            start=np.zeros(3),
        )
        stored = np.transpose(volume, axes)
        stored = stored[tuple(slice(None, None, -1 if flip else 1) for flip in flips)]
        paths = []
        for number, pixels in enumerate(stored):
            along_column, along_row = vectors[1], vectors[2]
            header = {
                "ImageOrientationPatient": [
                    *(along_row / np.linalg.norm(along_row)).tolist(),
                    *(along_column / np.linalg.norm(along_column)).tolist(),
                ],
                "ImagePositionPatient": (start + number * vectors[0]).tolist(),
                "PixelSpacing": [spacing[axes[1]], spacing[axes[2]]],
                "SliceThickness": spacing[axes[0]],
                "InstanceNumber": number + 1,
            }
            ds = dicom_image(np.ascontiguousarray(pixels), **{**header, **fields})
            paths.append(save(ds, folder / f"{number:03d}"))
        return paths

    return write
