"""``fedscan volume``: slices where they were asked for, in files that open elsewhere."""

from __future__ import annotations

from pathlib import Path

import nibabel
import numpy as np
import pydicom
import pytest
from fedscan.cli.main import app
from PIL import Image
from typer.testing import CliRunner


def run(model: Path, *words: object):
    return CliRunner().invoke(app, ["volume", str(model), "--steps", "2", *map(str, words)])


def test_a_nifti_volume_has_the_spacing_asked_for_and_is_signed(tiny_generator, tmp_path):
    out = tmp_path / "out"
    words = ("--prompt", "axial CT of the head", "--slices", 5, "--spacing", 4, "--out", out)
    result = run(tiny_generator, *words)
    assert result.exit_code == 0, result.output
    volume = nibabel.load(out / "volume.nii.gz")
    assert volume.shape == (32, 32, 5)
    assert volume.header.get_zooms() == pytest.approx((7.0, 7.0, 4.0))
    assert -1000 <= volume.get_fdata().min() <= volume.get_fdata().max() <= 2000
    with Image.open(out / "views.png") as views:
        assert views.text["Synthetic"] == "yes"
    assert CliRunner().invoke(app, ["verify", str(out)]).exit_code == 0
    again = run(tiny_generator, *words)
    assert again.exit_code == 3
    assert "already holds" in again.output


def test_a_dicom_series_is_one_volume(tiny_generator, tmp_path):
    words = ("--prompt", "coronal T2 of the abdomen", "--slices", 3, "--format", "dicom")
    result = run(tiny_generator, *words, "--out", tmp_path / "out")
    assert result.exit_code == 0, result.output
    slices = [pydicom.dcmread(file) for file in sorted((tmp_path / "out/series").iterdir())]
    assert len({one.SeriesInstanceUID for one in slices}) == 1
    places = np.array([one.ImagePositionPatient for one in slices], float)
    assert np.diff(places, axis=0) == pytest.approx(np.tile([0, -3, 0], (2, 1)))


def test_given_slices_are_kept(tiny_generator, tmp_path):
    known = np.random.default_rng(0).integers(0, 255, (32, 32), np.uint8)
    Image.fromarray(known).save(tmp_path / "known.png")
    where = f"{tmp_path / 'known.png'}@0.5"
    words = ("--prompt", "axial T1 of the head", "--slices", 3, "--given", where)
    result = run(tiny_generator, *words, "--out", tmp_path / "out")
    assert result.exit_code == 0, result.output
    values = nibabel.load(tmp_path / "out/volume.nii.gz").get_fdata()[:, :, 1].T
    assert values == pytest.approx(known / 127.5 - 1, abs=1e-5)


@pytest.mark.parametrize(
    ("words", "status", "said"),
    [
        (("--prompt", "a head"), 2, "does not say of which modality and plane"),
        (("--prompt", "chest X-ray"), 2, "does not say of which modality and plane"),
        (("--prompt", "axial CT of the head", "--slices", 99), 2, "99 slices at 3 mm cover 297 mm"),
        (("--prompt", "axial CT of the head", "--given", "x.png"), 3, "where the slice lies"),
        (("--prompt", "axial CT of the head", "--given", "x.png@0.5"), 3, "There is no picture"),
    ],
)
def test_what_cannot_be_done_is_said(tiny_generator, tmp_path, words, status, said):
    result = run(tiny_generator, *words, "--out", tmp_path / "out")
    assert result.exit_code == status
    assert said in result.output
