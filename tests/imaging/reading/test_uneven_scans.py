"""What is read of uneven or tilted slices lies where their headers say, for every command."""

from __future__ import annotations

from itertools import pairwise
from pathlib import Path

import numpy as np
import pytest
import trimesh
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from fedscan.cli.main import app
from fedscan.errors import DataError
from fedscan.imaging.reading.conditions import SliceAsked, load_conditions
from fedscan.imaging.reading.scan_files import read_scan
from fedscan.imaging.writing.provenance import Provenance
from fedscan.imaging.writing.space import SliceGrid
from fedscan.imaging.writing.volumes import write_volume
from fedscan.model.conditions import PARTIAL_KNOWN
from fedscan.model.description import Description
from fedscan.model.planes import AXES
from hypothesis import given, settings
from hypothesis import strategies as st
from placed_slices import BALL, head, write_head
from typer.testing import CliRunner

THICK_AND_THIN = [*np.arange(-78, -8, 2.5), *np.arange(-5.5, 80, 7.5)]
ONE_LOST = [height for height in np.arange(-80, 81, 5.0) if height != 20]
HOLE = [height for height in np.arange(-78, 80, 4.0) if not 26 < height < 60]


def places(scan) -> np.ndarray:
    """LPS mm of all voxels, ``[K, R, C, 3]``."""
    index = np.moveaxis(np.indices(scan.values.shape), 0, -1)
    return index @ scan.to_lps[:3, :3].T + scan.to_lps[:3, 3]


@pytest.mark.parametrize(
    ("heights", "tilt"),
    [
        (np.arange(-80, 81, 5.0), 0),
        (THICK_AND_THIN, 0),
        (ONE_LOST, 0),
        (np.arange(-80, 81, 5.0), 20),
        (np.arange(-80, 81, 5.0), -15),
        (THICK_AND_THIN, 20),
    ],
)
def test_voxels_lie_where_the_patient_was(tmp_path, heights, tilt):
    write_head(tmp_path, heights, tilt=tilt)
    scan = read_scan(tmp_path)
    axes = scan.to_lps[:3, :3] / np.linalg.norm(scan.to_lps[:3, :3], axis=0)
    np.testing.assert_allclose(axes.T @ axes, np.eye(3), atol=1e-6)  # right angles, no shear
    where, values = places(scan), head(places(scan))
    # Away from edges, which any interpolation blurs, values are the patient's.
    flat = np.ones(values.shape, bool)
    for axis in range(3):
        for shift in (-2, -1, 1, 2):
            flat &= np.roll(values, shift, axis) == values
    bounds = np.array([[-110, -70, -60], [110, 70, 60]])
    flat &= ((where > bounds[0]) & (where < bounds[1])).all(-1)
    assert flat.sum() > 3000
    assert np.mean(np.abs(scan.values - values)[flat] < 60) > 0.999
    ball = (scan.values < -500) & (np.linalg.norm(where, axis=-1) < 75)
    np.testing.assert_allclose(where[ball].mean(0), BALL, atol=1.5)


@settings(max_examples=15, deadline=None)
@given(
    st.lists(st.sampled_from([2.0, 3.0, 5.0, 7.5]), min_size=16, max_size=30), st.integers(0, 25)
)
def test_any_spacing_keeps_its_place(tmp_path_factory, steps, tilt):
    folder = tmp_path_factory.mktemp("scan")
    heights = np.cumsum([-40.0, *steps])
    write_head(folder, heights, tilt=tilt, side=24, pixel=8.0)
    scan = read_scan(folder)
    where = places(scan)
    inside = (np.linalg.norm(where, axis=-1) < 70) & (np.hypot(*np.moveaxis(where, -1, 0)[:2]) > 20)
    inside &= np.linalg.norm(where - np.array(BALL), axis=-1) > 25
    inside &= (where[..., 2] > heights[0] + 45) & (where[..., 2] < heights[-1] - 45)
    error = np.abs(scan.values[inside] - 40)
    # Far from an edge of a thousand units a spline still rings a little.
    assert np.count_nonzero(error >= 1) <= 0.01 * error.size
    assert (error < 20).all()


def test_a_hole_is_refused_in_one_sentence(tmp_path):
    write_head(tmp_path, HOLE)
    with pytest.raises(DataError, match=r"not evenly spaced: most are 4 mm apart, but .* 36 mm"):
        read_scan(tmp_path)
    words = ["mesh", str(tmp_path), "--above", "300", "--out", str(tmp_path / "a.stl")]
    result = CliRunner().invoke(app, words)
    assert result.exit_code == DataError.exit_status
    assert "slices seem to be missing" in " ".join(result.output.split())


@pytest.mark.parametrize(("heights", "tilt"), [(THICK_AND_THIN, 0), (np.arange(-90, 91, 3.0), 20)])
def test_a_surface_lies_where_the_patient_was(tmp_path, heights, tilt):
    write_head(tmp_path / "scan", heights, tilt=tilt)
    out = tmp_path / "skull.stl"
    words = ["mesh", str(tmp_path / "scan"), "--above", "300", "--out", str(out)]
    result = CliRunner().invoke(app, words)
    assert result.exit_code == 0, result.output
    corners = trimesh.load(out, force="mesh").vertices
    low = corners[(np.abs(corners[:, 2]) < 55) & (np.linalg.norm(corners[:, :2], axis=1) > 25)]
    radius = np.linalg.norm(low, axis=1)
    assert np.percentile(radius, [5, 95]) == pytest.approx([82, 90], abs=4)
    assert low[:, :2].mean(0) == pytest.approx([0, 0], abs=2)


@pytest.mark.parametrize(("heights", "tilt"), [(HOLE, 0), (np.arange(-80, 81, 5.0), 20)])
def test_what_no_slice_shows_is_free_in_a_partial_image(tmp_path, heights, tilt):
    write_head(tmp_path, heights, tilt=tilt)
    shown = Description(modality="CT", body_part="head", plane="sagittal")
    asked = SliceAsked(description=shown, position=0.5)
    found = load_conditions(64, partial=tmp_path, wanted_slice=asked)
    known = found.stack[PARTIAL_KNOWN] > 0
    rows, columns = np.indices(known.shape)
    where = (
        found.to_lps[:3, 3]
        + rows[..., None] * found.to_lps[:3, 1]
        + columns[..., None] * found.to_lps[:3, 2]
    )
    assert AXES["sagittal"].row == (0, 1, 0)
    height = where[..., 2] + np.tan(np.deg2rad(tilt)) * where[..., 1]
    low, high = min(heights), max(heights)
    gaps = [(a, b) for a, b in pairwise(heights) if b - a > 20] or [(high, high)]
    sure = (height > low + 8) & (height < high - 8) & (np.abs(where[..., 1]) < 90)
    beside = (height < low - 8) | (height > high + 8)
    in_gap = (height > gaps[0][0] + 6) & (height < gaps[0][1] - 6)
    near_gap = (height > gaps[0][0] - 6) & (height < gaps[0][1] + 6)
    assert known[sure & ~near_gap].all()
    assert not known[beside | in_gap].any()


def test_one_series_of_any_length_stays_within_memory(tmp_path):
    # Slices that nearly touch beside ones far apart once asked for 240001 layers.
    write_head(tmp_path, [*np.arange(0, 1, 0.06), 240.0], side=16, pixel=14.0)
    scan = read_scan(tmp_path, gaps="keep")
    assert scan.values.nbytes < 2**26


def test_a_folder_with_one_file_asked_for_reads_that_file(tmp_path: Path):
    write_head(tmp_path, [0.0, 50.0])
    scan = read_scan(tmp_path / "001.dcm")
    assert scan.values.shape == (1, 60, 60)
    assert scan.to_lps[2, 3] == pytest.approx(50.0)


@pytest.mark.parametrize("form", ["dicom", "nifti"])
@pytest.mark.parametrize(("heights", "tilt"), [(THICK_AND_THIN, 0), (np.arange(-80, 81, 5.0), 20)])
def test_what_is_written_of_a_scan_lies_where_the_scan_lies(tmp_path, heights, tilt, form):
    write_head(tmp_path / "scan", heights, tilt=tilt)
    scan = read_scan(tmp_path / "scan")
    # As enhance and translate do it: values that were computed, on the scan's own grid.
    volume = write_volume(
        tmp_path / "out",
        scan.to_model(True),
        form,
        scan.description,
        Provenance(prompt="", caption="", seed=0, index=0, generator="ab" * 32),
        slice_mm=3.0,
        grid=SliceGrid(to_lps=scan.to_lps),
        key=Ed25519PrivateKey.generate(),
    )
    written = read_scan(volume)
    ball = (written.values < -500) & (np.linalg.norm(places(written), axis=-1) < 75)
    np.testing.assert_allclose(places(written)[ball].mean(0), BALL, atol=1.5)
    corners = np.array([[0, 0, 0], np.array(scan.values.shape) - 1])
    first, last = corners @ scan.to_lps[:3, :3].T + scan.to_lps[:3, 3]
    ends = np.array([0, 0, 0]), np.array(written.values.shape) - 1
    found = np.array([written.to_lps[:3, :3] @ end + written.to_lps[:3, 3] for end in ends])
    assert {tuple(np.round(p, 1)) for p in np.sort([first, last], axis=0)} == {
        tuple(np.round(p, 1)) for p in np.sort(found, axis=0)
    }
