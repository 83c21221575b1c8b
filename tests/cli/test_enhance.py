"""``fedscan enhance``: any format in, a marked and verified one out, in the same place."""

from __future__ import annotations

from pathlib import Path

import nibabel
import numpy as np
import pydicom
import pytest
from fedscan.cli.main import app
from PIL import Image
from typer.testing import CliRunner


def enhance(model: Path, *words: object):
    return CliRunner().invoke(app, ["enhance", str(model), *map(str, words)])


def test_a_nifti_volume_is_denoised_where_it_lies(tiny_generator, tmp_path):
    hu = np.full((32, 32, 2), -1000.0)
    hu[4:28, 4:28] = 40.0
    hu[8:24, 8:24] = 90.0
    hu[12:16, 12:20] = 1500.0
    noisy = hu + np.random.default_rng(0).normal(0, 20, hu.shape)
    affine = np.diag([2.0, 2.0, 5.0, 1.0])
    nibabel.save(nibabel.Nifti1Image(noisy.astype(np.float32), affine), tmp_path / "ct.nii.gz")
    out = tmp_path / "out"
    words = ("--prompt", "axial CT of the head", "--noise", 20, "--out", out)
    result = enhance(tiny_generator, tmp_path / "ct.nii.gz", *words)
    assert result.exit_code == 0, result.output
    made = nibabel.as_closest_canonical(nibabel.load(out / "volume.nii.gz"))
    assert made.affine == pytest.approx(affine, abs=1e-4)
    found = made.get_fdata()
    assert np.abs(found - hu).mean() < 0.6 * np.abs(noisy - hu).mean()
    for tissue in (-1000, 40, 90, 1500):
        # Air and dense bone are no more moved than soft tissue.
        assert abs((found - hu)[hu == tissue].mean()) < 10
    assert b"denoised" in made.header.extensions[0].get_content()
    assert CliRunner().invoke(app, ["verify", str(out)]).exit_code == 0
    assert enhance(tiny_generator, tmp_path / "ct.nii.gz", *words).exit_code == 3


def test_a_dicom_series_is_made_finer_and_loses_the_patient(tiny_generator, hospitals, tmp_path):
    series = sorted(path.parent for path in hospitals.rglob("*.dcm") if "seg" not in path.name)[0]
    given = pydicom.dcmread(sorted(series.glob("*.dcm"))[0])
    words = ("--noise", 0, "--upscale", 2, "--out", tmp_path / "out")
    result = enhance(tiny_generator, series, *words)
    assert result.exit_code == 0, result.output
    made = pydicom.dcmread(sorted((tmp_path / "out/series").glob("*.dcm"))[0])
    assert (made.Rows, made.Columns) == (2 * given.Rows, 2 * given.Columns)
    assert made.PixelSpacing[0] == pytest.approx(given.PixelSpacing[0] / 2, abs=1e-3)
    assert made.PatientID.startswith("SYNTHETIC-")
    assert made.SyntheticData == "YES"
    assert "made 2 times finer" in made.DerivationDescription


def test_the_noise_of_a_picture_is_found_out(tiny_generator, tmp_path):
    grey = np.random.default_rng(0).normal(128, 20, (32, 32))
    Image.fromarray(grey.clip(0, 255).astype(np.uint8)).save(tmp_path / "a.png")
    result = enhance(tiny_generator, tmp_path / "a.png", "--out", tmp_path / "out")
    assert result.exit_code == 0, result.output
    assert "(estimated)" in result.output
    with Image.open(tmp_path / "out" / "slice-001.png") as made:
        assert made.text["Synthetic"] == "yes"
        assert np.asarray(made).std() < 10


@pytest.mark.parametrize(
    ("words", "status", "said"),
    [
        (("--noise", 0), 2, "Nothing to do"),
        (("--prompt", "something nice"), 2, "of which modality"),
        (("--format", "dicom"), 2, "states its modality"),
    ],
)
def test_what_cannot_be_done_is_said(tiny_generator, tmp_path, words, status, said):
    Image.fromarray(np.zeros((32, 32), np.uint8)).save(tmp_path / "a.png")
    result = enhance(tiny_generator, tmp_path / "a.png", *words, "--out", tmp_path / "out")
    assert result.exit_code == status
    assert said in result.output


@pytest.mark.parametrize(("noise", "warned"), [(40, True), (8, False)])
def test_noise_that_the_scan_does_not_have_is_warned_of(tiny_generator, tmp_path, noise, warned):
    hu = np.full((48, 48, 1), -1000.0)
    hu[6:42, 6:42] = 40.0
    noisy = hu + np.random.default_rng(0).normal(0, 5, hu.shape)
    nibabel.save(nibabel.Nifti1Image(noisy.astype(np.float32), np.eye(4)), tmp_path / "ct.nii.gz")
    words = ("--prompt", "axial CT of the head", "--noise", noise, "--out", tmp_path / "out")
    result = enhance(tiny_generator, tmp_path / "ct.nii.gz", *words)
    assert result.exit_code == 0, result.output
    assert ("noise of 40 is taken off, and the scan seems to have about" in result.stderr) == warned
