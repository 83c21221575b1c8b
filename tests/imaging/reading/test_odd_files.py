"""Odd NIfTI files and pictures: one sentence, and the exit status of data."""

from __future__ import annotations

from pathlib import Path

import nibabel
import numpy as np
import pydicom.data
import pytest
from fedscan.applications.mesh import MeshRequest, mesh
from fedscan.errors import DataError
from fedscan.imaging.reading.nifti import load_nifti
from fedscan.imaging.reading.scan_files import read_scan
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from pydicom import dcmread
from pydicom.encaps import generate_frames


def ball(size: int = 16) -> np.ndarray:
    """A ball of 40 HU in air."""
    distance = np.linalg.norm(np.indices((size,) * 3) - (size - 1) / 2, axis=0)
    return np.where(distance < size / 3, 40, -1000).astype(np.float32)


def save(path: Path, values: np.ndarray, affine: np.ndarray | None = None) -> Path:
    image = nibabel.Nifti1Image(values, np.diag([2.0, 2, 2, 1]))
    if affine is not None:
        image.header.set_sform(affine, code=1)
        image = nibabel.Nifti1Image(values, None, image.header)
    nibabel.save(image, path)
    return path


def colours() -> np.ndarray:
    return np.zeros((4, 4, 4), [("R", "u1"), ("G", "u1"), ("B", "u1")])


FLAT = np.diag([2.0, 2, 2, 1])
FLAT[:3, 2] = FLAT[:3, 1]
AFFINES = {
    "zero": np.diag([0.0, 0, 0, 1]),
    "NaN": np.full((4, 4), np.nan),
    "infinite": np.diag([np.inf, 2, 2, 1]),
    "in a plane": FLAT,
}
VALUES = {
    "colours": colours(),
    "complex": np.zeros((4, 4, 4), np.complex64),
    "all NaN": np.full((4, 4, 4), np.nan, np.float32),
    "two volumes": np.zeros((4, 4, 4, 2), np.float32),
    "flat": np.zeros((4, 4), np.float32),
}


@pytest.mark.parametrize("kind", [*AFFINES, *VALUES])
@pytest.mark.parametrize("suffix", [".nii", ".nii.gz"])
def test_an_odd_file_is_refused_in_one_sentence(tmp_path, kind, suffix):
    values = VALUES.get(kind, ball())
    path = save(tmp_path / f"odd{suffix}", values, AFFINES.get(kind))
    for read in (read_scan, lambda path: mesh(MeshRequest(volume=path, above=0))):
        with pytest.raises(DataError) as caught:
            read(path)
        assert caught.value.exit_status == 3
        assert str(path) in caught.value.message
        assert "\n" not in caught.value.message


LENIENT = settings(
    max_examples=60, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture]
)


@LENIENT
@given(
    changes=st.lists(st.tuples(st.integers(0, 500), st.integers(0, 255)), max_size=12),
    length=st.integers(0, 2000),
    zipped=st.booleans(),
)
def test_a_damaged_file_is_read_or_refused(tmp_path, changes, length, zipped):
    path = save(tmp_path / ("a.nii.gz" if zipped else "a.nii"), ball(6))
    content = bytearray(path.read_bytes())
    for place, value in changes:
        content[place % len(content)] = value
    path.write_bytes(content[: max(1, length)] if length < 1900 else content)
    try:
        image = load_nifti(path)
    except DataError:
        return
    assert np.isfinite(image.affine).all()
    assert image.ndim == 3


@pytest.mark.parametrize("outside", [np.nan, np.inf, -np.inf])
def test_nan_is_outside_the_body(tmp_path, outside):
    values = ball()
    corners = np.linalg.norm(np.indices(values.shape) - 7.5, axis=0) > 7
    control = save(tmp_path / "control.nii.gz", values)
    values[corners] = outside
    path = save(tmp_path / "a.nii.gz", values)
    scan = read_scan(path)
    np.testing.assert_array_equal(scan.values, read_scan(control).values)
    assert scan.limits == read_scan(control).limits
    skins = [mesh(MeshRequest(volume=file, above=-300)) for file in (path, control)]
    assert skins[0].millilitres == skins[1].millilitres


def test_what_was_cut_free_of_the_body_keeps_its_own_surface(tmp_path):
    values = ball()
    values[values < 0] = np.nan  # nothing is left that is darker than the level
    skin = mesh(MeshRequest(volume=save(tmp_path / "a.nii.gz", values), above=-300))
    assert skin.millilitres == pytest.approx((values == 40).sum() * 8 / 1000, rel=0.2)


def test_a_jpeg_of_twelve_bits_is_named(tmp_path):
    name = Path(pydicom.data.__file__).parent / "test_files" / "JPGExtended.dcm"
    (stream,) = generate_frames(dcmread(name).PixelData, number_of_frames=1)
    (tmp_path / "a.jpg").write_bytes(stream)
    with pytest.raises(DataError, match="12 bits a sample") as caught:
        read_scan(tmp_path / "a.jpg")
    assert caught.value.exit_status == 3


@LENIENT
@given(st.sampled_from([b"", b"\x89PNG\r\n\x1a\n", b"\xff\xd8\xff\xc1", b"II*\0"]), st.binary())
def test_any_bytes_are_a_picture_or_refused(tmp_path, start, content):
    (tmp_path / "a.png").write_bytes(start + content)
    with pytest.raises(DataError):
        read_scan(tmp_path / "a.png")
