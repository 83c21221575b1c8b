"""A few made-up chest X-rays as DICOM: enough to train on, quick to write and read."""

from __future__ import annotations

from pathlib import Path

import numpy as np
from dicom_files import save
from pydicom.dataset import Dataset
from pydicom.uid import DigitalXRayImageStorageForPresentation, generate_uid

SIDE = 32


def write_hospitals(root: Path, patients: dict[str, int], *, images: int = 2) -> None:
    """Write ``patients[site]`` patients for every site; every second one has a white spot."""
    for number, (site, count) in enumerate(patients.items()):
        rng = np.random.default_rng(number)
        for patient in range(count):
            for image in range(images):
                finding = "Pneumonia" if patient % 2 else "No finding"
                _write(
                    root / site / f"{patient}-{image}.dcm",
                    _chest(rng, spot=bool(patient % 2)),
                    patient=f"{site}-{patient}",
                    finding=finding,
                )


def _chest(rng: np.random.Generator, *, spot: bool) -> np.ndarray:
    rows, columns = np.mgrid[-1 : 1 : SIDE * 1j, -1 : 1 : SIDE * 1j]
    image = 160.0 + rng.normal(0, 4, (SIDE, SIDE))
    for side in (-1, 1):
        image -= 90 * (((columns - 0.45 * side) / 0.3) ** 2 + (rows / 0.6) ** 2 < 1)
    if spot:
        row, column = rng.uniform(-0.3, 0.3), 0.45 * rng.choice([-1, 1])
        image += 70 * ((columns - column) ** 2 + (rows - row) ** 2 < 0.03)
    return np.clip(image, 0, 255).astype(np.uint8)


def _write(path: Path, pixels: np.ndarray, *, patient: str, finding: str) -> None:
    ds = Dataset()
    ds.SOPClassUID = DigitalXRayImageStorageForPresentation
    ds.SOPInstanceUID = generate_uid(entropy_srcs=[str(path.name), patient])
    ds.StudyInstanceUID = generate_uid(entropy_srcs=["study", patient])
    ds.SeriesInstanceUID = generate_uid(entropy_srcs=["series", patient])
    ds.PatientID, ds.PatientName, ds.PatientSex, ds.PatientAge = patient, "Doe^Jane", "F", "050Y"
    ds.Modality, ds.BodyPartExamined, ds.ViewPosition = "DX", "CHEST", "PA"
    ds.StudyDescription = f"Chest X-ray, {finding}"
    ds.BurnedInAnnotation = "NO"
    ds.PatientOrientation = ["L", "F"]
    ds.SamplesPerPixel, ds.PhotometricInterpretation = 1, "MONOCHROME2"
    ds.Rows, ds.Columns = pixels.shape
    ds.BitsAllocated = ds.BitsStored = 8
    ds.HighBit, ds.PixelRepresentation = 7, 0
    ds.PixelData = pixels.tobytes()
    save(ds, path)
