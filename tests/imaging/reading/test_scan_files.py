"""Scans from files: the same scan has the same values in the same places in every format."""

from __future__ import annotations

import nibabel
import numpy as np
import pytest
from fedscan.errors import DataError
from fedscan.imaging.reading.scan_files import read_scan
from fedscan.imaging.writing.dicom import write_dicom_series
from fedscan.imaging.writing.nifti import write_nifti
from fedscan.imaging.writing.provenance import Provenance
from fedscan.imaging.writing.space import SliceGrid, grid_for
from fedscan.model.description import Description
from fedscan.model.intensity import hounsfield_to_model, linear_to_hounsfield
from PIL import Image

ORIGIN = Provenance(prompt="", caption="", seed=0, index=0, generator="ab" * 32)
CT = Description(modality="CT", body_part="abdomen", plane="axial")


def volume() -> np.ndarray:
    hu = np.random.default_rng(0).uniform(-150, 150, (4, 20, 24)).astype(np.float32)
    return hounsfield_to_model(hu)


def place(scan, index) -> np.ndarray:
    return (scan.to_lps @ [*index, 1])[:3]


def test_a_nifti_file_and_a_dicom_series_hold_the_same_scan(tmp_path):
    images = volume()
    grid = grid_for("abdomen", "axial", images.shape, 3.0)
    write_nifti(tmp_path / "a.nii.gz", images, grid, CT, ORIGIN)
    (tmp_path / "series").mkdir()
    write_dicom_series(tmp_path / "series", images, grid, CT, ORIGIN, number=1)
    nifti, dicom = read_scan(tmp_path / "a.nii.gz"), read_scan(tmp_path / "series")
    assert nifti.values == pytest.approx(dicom.values, abs=0.6)
    assert nifti.to_lps == pytest.approx(dicom.to_lps, abs=1e-3)
    assert dicom.description == CT
    assert place(nifti, (0, 0, 0)) == pytest.approx(grid.corner(), abs=1e-3)
    assert nifti.to_model(True) == pytest.approx(images, abs=1e-4)


def test_a_nifti_file_of_any_orientation_is_turned(tmp_path):
    values = np.arange(60.0).reshape(3, 4, 5)
    affine = np.array([[0, 2.0, 0, 1], [0, 0, -3, 2], [4, 0, 0, 3], [0, 0, 0, 1]])
    nibabel.save(nibabel.Nifti1Image(values.astype(np.float32), affine), tmp_path / "a.nii")
    scan = read_scan(tmp_path / "a.nii")
    where = np.unravel_index(int(np.argmax(scan.values == 37)), scan.values.shape)
    ras = affine @ [*np.argwhere(values == 37)[0], 1]
    assert place(scan, where) == pytest.approx(ras[:3] * [-1, -1, 1])


def test_a_finer_grid_has_the_same_bounds():
    coarse = SliceGrid(to_lps=np.diag([3.0, 2.0, 2.0, 1.0])[[2, 1, 0, 3]])
    fine = coarse.refined(2)
    assert fine.spacing_mm == pytest.approx((1.0, 1.0))
    assert (fine.corner() + fine.row / 2 + fine.column / 2) == pytest.approx(coarse.corner())


def test_values_in_proportion_keep_white_noise_white_and_all_of_it():
    hu = np.array([[[-1040.0, 40.0, 2600.0]]], np.float32)
    scan = read_values(hu)
    assert linear_to_hounsfield(scan.to_linear(True)) == pytest.approx(hu, abs=1e-3)
    assert scan.noise_to_linear(30, True) == pytest.approx(np.full(hu.shape, 0.02))
    assert scan.noise_to_linear(30, False) == pytest.approx(np.full(hu.shape, 0.03))


def read_values(values):
    from fedscan.imaging.reading.scan import Scan

    return Scan(values=values, to_lps=None, description=None, form="nifti", limits=(-1000, 1000))


def test_a_picture_keeps_its_range(tmp_path):
    grey = np.random.default_rng(0).integers(50, 60, (20, 24), np.uint8)
    Image.fromarray(grey).save(tmp_path / "a.png")
    scan = read_scan(tmp_path / "a.png")
    assert scan.to_lps is None
    assert 255 * (scan.to_model(False)[0] + 1) / 2 == pytest.approx(grey, abs=1e-3)


@pytest.mark.parametrize("name", ["none.png", "text.nii", "text.png", "text.dcm"])
def test_what_cannot_be_read_is_named(tmp_path, name):
    if name.startswith("text"):
        (tmp_path / name).write_text("no image")
    with pytest.raises(DataError, match=name):
        read_scan(tmp_path / name)
