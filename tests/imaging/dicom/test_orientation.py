"""Whatever way files are stored, the same patient gives the same upright pictures."""

from __future__ import annotations

import itertools
from pathlib import Path

import numpy as np
import pytest
from fedscan.imaging.dicom.index import index_folder
from fedscan.imaging.examples.series import series_examples
from fedscan.imaging.settings import DataSettings
from fedscan.model.example import Example
from fedscan.model.intensity import hounsfield_to_model

SETTINGS = DataSettings(image_size=16)


def examples_of(folder: Path, settings: DataSettings = SETTINGS) -> list[Example]:
    index = index_folder(folder, settings)
    assert not index.set_aside
    return [
        example
        for patient in index.patients
        for study in patient.studies
        for series in study.series
        for example in series_examples(folder, series, settings).examples
    ]


@pytest.fixture
def volume() -> np.ndarray:
    """HU ``[Z, Y, X]`` without any symmetry; z, y, x rise to head, back, left."""
    z, y, x = np.meshgrid(*[np.linspace(0, 1, 16)] * 3, indexing="ij")
    return (900 * x + 300 * y**2 - 500 * z * x + 100 * z).astype(np.int16)


@pytest.mark.parametrize("axes", list(itertools.permutations(range(3))))
@pytest.mark.parametrize("flips", list(itertools.product([False, True], repeat=3)))
def test_every_storage_order_gives_the_same_pictures(tmp_path, write_volume, volume, axes, flips):
    write_volume(tmp_path, volume, axes=axes, flips=flips)
    examples = examples_of(tmp_path)
    plane = ("axial", "coronal", "sagittal")[axes[0]]
    assert {example.description.plane for example in examples} == {plane}
    values = hounsfield_to_model(volume)
    # Rows run down from the front (axial) or the top; columns from the right or the front.
    expected = {
        "axial": values,
        "coronal": np.moveaxis(values, 1, 0)[:, ::-1],
        "sagittal": np.moveaxis(values, 2, 0)[:, ::-1],
    }[plane]
    np.testing.assert_allclose([e.image for e in examples], expected, atol=1e-6)
    # Positions rise to the head, the front and the left.
    positions = [example.position for example in examples]
    rising = positions[::-1] if plane == "coronal" else positions
    assert all(np.diff(rising) > 0)


@pytest.mark.parametrize("axes", [(0, 1, 2), (1, 0, 2), (2, 0, 1)])
def test_reformatted_planes_do_not_depend_on_the_acquired_one(tmp_path, write_volume, volume, axes):
    settings = DataSettings(image_size=16, planes="all")
    write_volume(tmp_path, volume, axes=axes, flips=(True, False, True))
    by_plane = {
        plane: [e for e in examples_of(tmp_path, settings) if e.description.plane == plane]
        for plane in ("axial", "coronal", "sagittal")
    }
    values = hounsfield_to_model(volume)
    axial = np.array([e.image for e in by_plane["axial"]])
    np.testing.assert_allclose(axial, values, atol=1e-4)
    coronal = np.array([e.image for e in by_plane["coronal"]])
    np.testing.assert_allclose(coronal, np.moveaxis(values, 1, 0)[:, ::-1], atol=1e-4)
    sagittal = np.array([e.image for e in by_plane["sagittal"]])
    np.testing.assert_allclose(sagittal, np.moveaxis(values, 2, 0)[:, ::-1], atol=1e-4)
    for examples in by_plane.values():
        positions = [e.position for e in examples]
        assert all(np.diff(positions) > 0) or all(np.diff(positions) < 0)


def test_an_oblique_volume_is_read_in_its_nearest_plane(tmp_path, write_image, volume):
    tilt = np.deg2rad(20)
    down = np.array([0.0, np.cos(tilt), -np.sin(tilt)])
    normal = np.array([0.0, np.sin(tilt), np.cos(tilt)])
    for number, pixels in enumerate(volume):
        write_image(
            tmp_path / str(number),
            pixels,
            ImageOrientationPatient=[1, 0, 0, *down.tolist()],
            ImagePositionPatient=(normal * number).tolist(),
        )
    examples = examples_of(tmp_path)
    assert {example.description.plane for example in examples} == {"axial"}
    np.testing.assert_allclose([e.image for e in examples], hounsfield_to_model(volume), atol=1e-6)


#: How a frontal chest X-ray may be stored, and the Patient Orientation that then holds.
STORED = {
    ("L", "F"): lambda upright: upright,
    ("R", "F"): lambda upright: upright[:, ::-1],
    ("L", "H"): lambda upright: upright[::-1],
    ("R", "H"): lambda upright: upright[::-1, ::-1],
    ("F", "L"): lambda upright: upright.T,
    ("H", "L"): lambda upright: upright.T[:, ::-1],
    ("F", "R"): lambda upright: upright.T[::-1],
    ("H", "R"): lambda upright: upright.T[::-1, ::-1],
}


@pytest.mark.parametrize("orientation", STORED)
@pytest.mark.parametrize("shape", [(16, 16), (12, 16)])
def test_sideways_and_mirrored_x_rays_come_out_upright(tmp_path, write_image, orientation, shape):
    upright = np.add.outer(np.arange(shape[0]) * 7, np.arange(shape[1]) * 2).astype(np.uint8)
    write_image(tmp_path / "upright", upright, Modality="DX", SeriesInstanceUID="1.1")
    write_image(
        tmp_path / "stored",
        np.ascontiguousarray(STORED[orientation](upright)),
        Modality="DX",
        SeriesInstanceUID="1.2",
        PatientOrientation=list(orientation),
    )
    as_is, turned = examples_of(tmp_path)
    np.testing.assert_allclose(turned.image, as_is.image, atol=1e-6)


@pytest.mark.parametrize(
    ("orientation", "change"), [("A", lambda i: i[:, ::-1]), ("P", lambda i: i)]
)
def test_lateral_x_rays_look_to_the_left(tmp_path, write_image, orientation, change):
    pixels = np.add.outer(np.arange(16) * 7, np.arange(16) * 2).astype(np.uint8)
    write_image(tmp_path / "a", pixels, Modality="DX", PatientOrientation=[orientation, "FL"])
    write_image(tmp_path / "b", pixels, Modality="DX", SeriesInstanceUID="1.9")
    turned, as_is = examples_of(tmp_path)
    np.testing.assert_allclose(turned.image, change(as_is.image), atol=1e-6)


MAMMOGRAMS = {
    "LCC": ("L", ["A", "R"]),
    "RCC": ("R", ["P", "L"]),
    "LMLO": ("L", ["A", "FR"]),
    "RMLO": ("R", ["P", "FL"]),
    "LML": ("L", ["A", "F"]),
    "RXCCL": ("R", ["P", "L"]),
}


@pytest.mark.parametrize("view", MAMMOGRAMS)
@pytest.mark.parametrize("keyword", ["ImageLaterality", "Laterality"])
@pytest.mark.parametrize("turned", ["no", "mirrored", "upside down", "sideways"])
def test_mammograms_hang_with_the_chest_wall_at_the_side(
    tmp_path, write_image, view, keyword, turned
):
    hung = np.add.outer(np.arange(20) * 7, np.arange(12) * 4).astype(np.uint8)
    side, (along_row, along_column) = MAMMOGRAMS[view]
    opposite = str.maketrans("APLRFH", "PARLHF")
    stored = hung
    if turned == "mirrored":
        stored, along_row = stored[:, ::-1], along_row.translate(opposite)
    if turned == "upside down":
        stored, along_column = stored[::-1], along_column.translate(opposite)
    if turned == "sideways":
        stored, along_row, along_column = stored.T, along_column, along_row
    fields = {"Modality": "MG", "BodyPartExamined": "BREAST", keyword: side}
    write_image(
        tmp_path / "a",
        np.ascontiguousarray(stored),
        PatientOrientation=[along_row, along_column],
        **fields,
    )
    write_image(tmp_path / "b", hung, Modality="DX", SeriesInstanceUID="1.9")
    found, expected = examples_of(tmp_path)
    np.testing.assert_allclose(found.image, expected.image, atol=1e-6)


@pytest.mark.parametrize(
    "fields",
    [
        {"PatientOrientation": ["A", "R"]},
        {"ImageLaterality": "B", "PatientOrientation": ["P", "L"]},
        {"ImageLaterality": "L", "PatientOrientation": ["R", "F"]},
        {"ImageLaterality": "L"},
    ],
)
def test_a_mammogram_that_does_not_tell_how_it_lies_hangs_as_stored(tmp_path, write_image, fields):
    pixels = np.add.outer(np.arange(16) * 7, np.arange(16) * 2).astype(np.uint8)
    write_image(tmp_path / "a", pixels, Modality="MG", **fields)
    (example,) = examples_of(tmp_path)
    assert example.image[0, 0] < example.image[0, -1] < example.image[-1, -1]


@pytest.mark.parametrize("orientation", ["", ["L"], ["X", "Y"], ["L", "R"], ["", ""]])
def test_a_malformed_orientation_leaves_an_x_ray_as_it_is(tmp_path, write_image, orientation):
    pixels = np.add.outer(np.arange(16) * 7, np.arange(16) * 2).astype(np.uint8)
    write_image(tmp_path / "a", pixels, Modality="DX", PatientOrientation=orientation)
    (example,) = examples_of(tmp_path)
    assert example.image[0, 0] < example.image[0, -1] < example.image[-1, -1]
    assert example.position == 0.5


def test_proportions_survive_anisotropic_pixels(tmp_path, write_image):
    # A disc of 24 mm, seen with pixels that are twice as high as wide.
    rows, columns = np.mgrid[0:16, 0:32]
    disc = (np.hypot(rows * 2 - 15, columns - 15.5) < 12).astype(np.uint8) * 200
    write_image(tmp_path / "a", disc, Modality="DX", PixelSpacing=[2, 1])
    (example,) = examples_of(tmp_path, DataSettings(image_size=32))
    inside = example.image > 0
    height, width = inside.any(1).sum(), inside.any(0).sum()
    assert abs(height - width) <= 2
    write_image(tmp_path / "a", disc[:, 8:24], Modality="DX", PixelSpacing=[2, 1])
    (example,) = examples_of(tmp_path, DataSettings(image_size=32))
    assert (example.image[:, :4] == -1).all(), "the shorter side is padded, not stretched"
