"""Surfaces: in millimetres, closed, of the right volume, and marked where they are synthetic."""

from __future__ import annotations

from pathlib import Path

import nibabel
import numpy as np
import pytest
import trimesh
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from fedscan.applications.surfaces.extract import SurfaceSettings, surface_above, surface_of_labels
from fedscan.applications.surfaces.preview import preview
from fedscan.cli.main import app
from fedscan.errors import DataError
from fedscan.imaging.writing.nifti import write_nifti
from fedscan.imaging.writing.provenance import Provenance
from fedscan.imaging.writing.space import SliceGrid
from fedscan.imaging.writing.volumes import write_volume
from fedscan.model.conditions import LABEL
from fedscan.model.description import Description
from fedscan.model.marking import NOTICE
from fedscan.phantoms.hospital import write_hospitals
from fedscan.phantoms.settings import PhantomSettings
from hypothesis import example, given, settings
from hypothesis import strategies as st
from PIL import Image
from typer.testing import CliRunner

DEFAULT = SurfaceSettings()
REAL = Path(__file__).parents[4] / "shared" / "data" / "abdomen_ct_mr_volumes.npz"


def ball(radius: float, side: int = 40) -> np.ndarray:
    return ((np.indices((side, side, side)) - side / 2) ** 2).sum(0) < radius**2


@settings(max_examples=12, deadline=None)
@example(radius=6.0625, spacing=(-2.0, -2.0, -2.0), shift=(0, 0, 0))
@given(
    radius=st.floats(6, 15),
    spacing=st.tuples(*[st.sampled_from([-2.0, -0.7, 0.7, 1.0, 3.0])] * 3),
    shift=st.tuples(*[st.integers(-50, 50)] * 3),
)
def test_a_ball_keeps_volume_and_place_and_is_closed(radius, spacing, shift):
    affine = np.diag([*spacing, 1.0])
    affine[:3, 3] = shift
    inside = ball(radius)
    surface = surface_of_labels(inside, affine, SurfaceSettings(smallest_ml=0))
    true = inside.sum() * abs(np.prod(spacing))
    assert surface.is_watertight
    assert surface.volume == pytest.approx(true, rel=0.08)
    middle = affine[:3, :3] @ [20, 20, 20] + affine[:3, 3]
    assert surface.bounds.mean(0) == pytest.approx(middle, abs=1.5 * np.abs(spacing).max())


def test_the_steps_of_the_voxels_are_smoothed_away():
    surface = surface_of_labels(ball(12), np.eye(4), DEFAULT)
    assert np.std(np.linalg.norm(surface.vertices - 20, axis=1)) < 0.1  # voxels


def test_a_structure_cut_by_the_edge_is_closed_there():
    inside = np.zeros((20, 20, 20), bool)
    inside[:10, 5:15, 5:15] = True
    assert surface_of_labels(inside, np.eye(4), DEFAULT).is_watertight
    volume = np.where(inside, 400.0, -1000.0).astype(np.float32)
    assert surface_above(volume, 300.0, np.eye(4), DEFAULT).is_watertight


def test_specks_are_left_out_and_nothing_is_an_error():
    inside = ball(10)
    inside[1, 1, 1] = True
    surface = surface_of_labels(inside, np.eye(4), SurfaceSettings(smallest_ml=0.01))
    assert surface.bounds.min() > 5
    with pytest.raises(DataError, match=r"of at least 50 ml: the largest of 2 pieces has"):
        surface_of_labels(inside, np.eye(4), SurfaceSettings(smallest_ml=50))


def test_the_preview_shows_front_left_and_top_at_one_scale():
    box = np.zeros((40, 40, 40), bool)
    box[10:30, 15:25, 5:35] = True  # 20 wide, 10 deep, 30 high
    picture = np.asarray(preview(surface_of_labels(box, np.eye(4), DEFAULT), pixels=120))
    assert picture.shape == (120, 360, 3)
    tiles = [picture[:, start : start + 120].max(2) > 30 for start in (0, 120, 240)]
    sizes = [(np.ptp(np.where(t)[1]), np.ptp(np.where(t)[0])) for t in tiles]
    unit = sizes[0][1] / 30
    for found, (width, height) in zip(sizes, [(20, 30), (10, 30), (20, 10)], strict=True):
        assert found == pytest.approx((width * unit, height * unit), abs=3 * unit)


@pytest.fixture
def generated(tmp_path):
    """A generated label map and volume as `fedscan` writes them."""
    grid = SliceGrid.centred("axial", (40, 40, 40), pixel_mm=2.0, slice_mm=2.0)
    origin = Provenance(prompt="", caption="", seed=0, index=0, generator="ab" * 32)
    path = tmp_path / "ct.nii.gz"
    values = np.where(ball(12), 0.9, -1.0).astype(np.float32)
    shown = Description(modality="CT", body_part="head", plane="axial")
    write_nifti(path, values, grid, shown, origin)
    labels = nibabel.Nifti1Image(
        (ball(12) * LABEL["bone"]).astype(np.uint8), nibabel.load(path).affine
    )
    nibabel.save(labels, tmp_path / "labels.nii.gz")
    return path, tmp_path / "labels.nii.gz"


@pytest.mark.parametrize("suffix", [".stl", ".obj", ".glb"])
def test_every_format_is_read_back_and_says_that_it_is_synthetic(generated, tmp_path, suffix):
    volume, labels = generated
    out, picture = tmp_path / f"a{suffix}", tmp_path / "a.png"
    words = ["mesh", str(volume), "--above", "300", "--out", str(out), "--preview", str(picture)]
    result = CliRunner().invoke(app, words)
    assert result.exit_code == 0, result.output
    assert "closed" in result.output
    assert NOTICE.encode() in out.read_bytes()
    assert NOTICE.encode() in picture.read_bytes()
    read = trimesh.load(out, force="mesh")
    assert read.volume == pytest.approx(ball(12).sum() * 8, rel=0.05)
    other = tmp_path / f"b{suffix}"
    words = ["mesh", str(labels), "--label", "bone", "--out", str(other)]
    assert CliRunner().invoke(app, words).exit_code == 0
    assert NOTICE.encode() not in other.read_bytes()


@pytest.mark.parametrize(
    ("words", "status", "said"),
    [
        (["--label", "bone", "--out", "a.ply"], 2, "unknown ending"),
        (["--out", "a.stl"], 2, "either --label"),
        (["--label", "tail", "--out", "a.stl"], 2, "no label 'tail'"),
        (["--label", "7", "--out", "a.stl"], 3, "no structure"),
    ],
)
def test_what_cannot_be_done_is_said(generated, tmp_path, words, status, said):
    words = [str(tmp_path / word) if word.startswith("a.") else word for word in words]
    result = CliRunner().invoke(app, ["mesh", str(generated[1]), *words])
    assert result.exit_code == status
    assert said in result.output


def test_a_file_that_is_no_volume_is_refused(tmp_path):
    (tmp_path / "x.nii").write_bytes(b"no volume")
    for name, said in (("x.nii", "not a NIfTI file"), ("y.nii", "no file")):
        words = ["mesh", str(tmp_path / name), "--above", "1", "--out", str(tmp_path / "a.stl")]
        result = CliRunner().invoke(app, words)
        assert result.exit_code == 3
        assert said in result.output


@pytest.mark.skipif(not REAL.exists(), reason="the real volumes are not here")
def test_bones_of_a_real_ct_have_no_spikes():
    with np.load(REAL) as stored:
        volume, affine = stored["ct_full_hu"].astype(np.float32), stored["ct_full_affine"]
    surface = surface_above(volume, 200.0, affine, SurfaceSettings(smallest_ml=2))
    corners = np.array(np.meshgrid(*[[0, n - 1] for n in volume.shape])).reshape(3, -1)
    placed = affine[:3, :3] @ corners + affine[:3, 3:]
    assert (surface.bounds[0] > placed.min(1) - 3).all()
    assert (surface.bounds[1] < placed.max(1) + 3).all()
    assert surface.edges_unique_length.max() < 15


def test_dicom_lies_where_nifti_does(tmp_path):
    values = np.where(ball(12), 0.9, -1.0).astype(np.float32)
    shown = Description(modality="CT", body_part="head", plane="axial")
    origin = Provenance(prompt="", caption="", seed=0, index=0, generator="ab" * 32)
    key = Ed25519PrivateKey.generate()
    surfaces = []
    for form in ("nifti", "dicom"):
        folder, out = tmp_path / form, tmp_path / f"{form}.stl"
        volume = write_volume(folder, values, form, shown, origin, slice_mm=3.0, key=key)
        result = CliRunner().invoke(app, ["mesh", str(volume), "--above", "300", "-o", str(out)])
        assert result.exit_code == 0, result.output
        assert NOTICE.encode() in out.read_bytes()
        surfaces.append(trimesh.load(out, force="mesh"))
    assert surfaces[1].bounds == pytest.approx(surfaces[0].bounds, abs=0.5)
    assert surfaces[1].volume == pytest.approx(surfaces[0].volume, rel=0.01)


def test_a_dicom_segmentation_is_meshed_and_a_picture_is_not(tmp_path):
    settings = PhantomSettings(patients=(1,), contrasts=("CT",), slices=4, matrix=64, seed=1)
    write_hospitals(tmp_path, settings)
    [segmentation] = tmp_path.rglob("segmentation*.dcm")
    out = str(tmp_path / "brain.stl")
    words = ["mesh", str(segmentation), "--label", "brain", "--out", out]
    result = CliRunner().invoke(app, words)
    assert result.exit_code == 0, result.output
    assert trimesh.load(out, force="mesh").volume > 1e5  # mm³
    Image.new("L", (20, 20)).save(tmp_path / "a.png")
    words = ["mesh", str(tmp_path / "a.png"), "--above", "1", "--out", out]
    result = CliRunner().invoke(app, words)
    assert result.exit_code == 3
    assert "not a volume" in result.output
