"""Generated files: marked as the standards have it, calibrated, and placed alike."""

from __future__ import annotations

import json
import re
import shutil
import subprocess

import nibabel
import numpy as np
import pydicom
import pytest
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from fedscan import __version__
from fedscan.imaging.writing.dicom import write_dicom_series
from fedscan.imaging.writing.images import PromptImages, write_images
from fedscan.imaging.writing.nifti import write_nifti
from fedscan.imaging.writing.provenance import Provenance
from fedscan.imaging.writing.space import SliceGrid, grid_for
from fedscan.model.description import Description
from fedscan.model.intensity import hounsfield_to_model
from fedscan.model.marking import NOTICE

ORIGIN = Provenance(prompt="a head", caption="CT image", seed=5, index=2, generator="ab" * 32)
CT = Description(modality="CT", body_part="head", plane="coronal", sex="female")
SHOWN = [
    CT,
    Description(modality="T2-weighted MR", body_part="abdomen", plane="axial"),
    Description(modality="X-ray", body_part="chest", view="PA", finding="pneumonia"),
]
HU = np.array([-1000, -60, 0, 35, 80, 1200], np.float32)


def volume(slices: int = 3) -> np.ndarray:
    ramp = np.resize(hounsfield_to_model(HU), (slices, 16, 16)).astype(np.float32)
    ramp[:, :4, :4] = -1.0
    return ramp


def written(folder, description, slices=3):
    images = volume(slices)
    grid = grid_for(description.body_part, description.plane, images.shape, 2.5)
    files = write_dicom_series(folder, images, grid, description, ORIGIN, number=7)
    return [pydicom.dcmread(file) for file in files], grid


@pytest.mark.parametrize("description", SHOWN, ids=lambda shown: shown.modality)
def test_a_dicom_file_says_that_it_is_synthetic_and_nobody_is_in_it(tmp_path, description):
    datasets, _ = written(tmp_path, description)
    for dataset in datasets:
        assert dataset.SyntheticData == "YES"
        assert list(dataset.ImageType[:2]) == ["DERIVED", "SECONDARY"]
        assert NOTICE in dataset.DerivationDescription
        [equipment] = dataset.ContributingEquipmentSequence
        assert equipment.SoftwareVersions == __version__
        assert equipment.DeviceSerialNumber == ORIGIN.generator
        assert re.fullmatch(r"SYNTHETIC-[0-9a-f]{12}", dataset.PatientID)
        assert str(dataset.PatientName) == dataset.PatientID
        assert not dataset.PatientBirthDate
    assert len({dataset.SOPInstanceUID for dataset in datasets}) == 3
    assert len({dataset.SeriesInstanceUID for dataset in datasets}) == 1
    assert len({dataset.StudyInstanceUID for dataset in datasets}) == 1


def test_each_image_is_of_a_synthetic_patient_of_its_own(tmp_path):
    images = PromptImages(prompt="ct", caption="ct", description=CT, images=volume())
    key = Ed25519PrivateKey.generate()
    files = write_images(
        tmp_path / "out", [images] * 2, "dicom", seed=3, generator="0" * 64, key=key
    )
    datasets = [pydicom.dcmread(file) for file in files]
    for keyword in ("PatientID", "StudyInstanceUID", "SeriesInstanceUID"):
        assert len({dataset[keyword].value for dataset in datasets}) == 6


def test_ct_comes_out_in_hounsfield_units(tmp_path):
    datasets, grid = written(tmp_path, CT)
    stored = datasets[0].pixel_array * datasets[0].RescaleSlope + datasets[0].RescaleIntercept
    assert np.abs(stored - np.resize(HU, (3, 16, 16))[0])[4:].max() <= 1
    path = tmp_path / "a.nii.gz"
    write_nifti(path, volume(), grid, CT, ORIGIN)
    values = nibabel.load(path).get_fdata()
    assert np.abs(values[:, 4:, 0].T - np.resize(HU, (3, 16, 16))[0][4:]).max() < 0.5


@pytest.mark.parametrize("plane", ["axial", "coronal", "sagittal"])
def test_dicom_and_nifti_put_every_voxel_in_the_same_place(tmp_path, plane):
    shown = Description(modality="CT", body_part="head", plane=plane)
    datasets, grid = written(tmp_path, shown)
    path = tmp_path / "a.nii.gz"
    write_nifti(path, volume(), grid, shown, ORIGIN)
    affine = nibabel.load(path).affine
    for index, dataset in enumerate(datasets):
        row, column = np.reshape(dataset.ImageOrientationPatient, (2, 3)).astype(float)
        corner = np.array(dataset.ImagePositionPatient, float)
        spacing = [float(value) for value in dataset.PixelSpacing]
        for i, j in [(0, 0), (15, 0), (3, 11)]:
            lps = corner + row * i * spacing[1] + column * j * spacing[0]
            ras = affine @ [i, j, index, 1]
            assert ras[:3] == pytest.approx(lps * [-1, -1, 1], abs=1e-3)


def test_the_middle_of_a_volume_is_the_origin():
    grid = SliceGrid.centred("axial", (5, 64, 64), pixel_mm=4, slice_mm=3)
    middle = grid.affine() @ [31.5, 31.5, 2, 1]
    assert middle[:3] == pytest.approx([0, 0, 0])


def test_a_nifti_file_tells_where_it_comes_from(tmp_path):
    path = tmp_path / "a.nii.gz"
    write_nifti(path, volume(), grid_for("head", "axial", (3, 16, 16), 2.0), CT, ORIGIN)
    header = nibabel.load(path).header
    assert header["descrip"].tobytes().decode().strip("\0") == NOTICE
    facts = json.loads(header.extensions[0].get_content())
    assert facts == ORIGIN.facts()
    assert facts["synthetic"] is True


@pytest.mark.skipif(shutil.which("dciodvfy") is None, reason="dciodvfy (dicom3tools) is absent")
@pytest.mark.parametrize("description", SHOWN, ids=lambda shown: shown.modality)
def test_a_validator_finds_no_error(tmp_path, description):
    written(tmp_path, description)
    for file in tmp_path.glob("*.dcm"):
        found = subprocess.run(["dciodvfy", str(file)], capture_output=True, text=True, check=False)
        errors = [line for line in found.stderr.splitlines() if line.startswith("Error")]
        # SyntheticData is in the standard since 2023: older releases do not know it yet.
        errors = [line for line in errors if "(0x0008,0x001c)" not in line]
        assert errors == []
