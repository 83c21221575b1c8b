"""What a series of several volumes, or of none, is made of."""

from __future__ import annotations

import numpy as np
import pytest
from fedscan.imaging.dicom.index import index_folder
from fedscan.imaging.dicom.set_aside import Reason
from fedscan.imaging.dicom.stacks import build
from fedscan.imaging.examples.series import series_examples
from fedscan.imaging.settings import DataSettings
from placed_slices import ROD, write_head
from pydicom import dcmread
from pydicom.uid import RLELossless

PIXELS = np.arange(256, dtype=np.int16).reshape(16, 16)


def stacks_of(folder):
    (series,) = index_folder(folder, DataSettings()).patients[0].studies[0].series
    return series.stacks


def depths(stack) -> list[float]:
    return [round(item.plane.depth, 2) for item in stack.slices]


def test_slices_that_all_claim_one_place_are_set_aside(tmp_path, write_image):
    for number in range(6):
        write_image(tmp_path / str(number), PIXELS, InstanceNumber=number, SliceLocation=5 * number)
    assert index_folder(tmp_path, DataSettings()).set_aside == {Reason.GEOMETRY: 6}


def test_slices_told_apart_by_their_number_alone_have_no_place(tmp_path, write_image):
    for number in range(6):
        write_image(tmp_path / str(number), PIXELS, InstanceNumber=number)
    assert index_folder(tmp_path, DataSettings()).set_aside == {Reason.GEOMETRY: 6}


def test_two_slices_for_each_place_contradict_their_locations(tmp_path, write_image):
    for number in range(8):
        fields = {"ImagePositionPatient": [0, 0, 10.0 * (number // 2)], "SliceLocation": 5 * number}
        write_image(tmp_path / str(number), PIXELS, InstanceNumber=number, **fields)
    assert index_folder(tmp_path, DataSettings()).set_aside == {Reason.GEOMETRY: 8}


def test_a_time_of_its_own_gives_no_slice_a_place_at_the_origin(tmp_path, write_image):
    for number in range(6):
        fields = {"AcquisitionTime": f"10{number:02d}00", "InstanceNumber": number}
        write_image(tmp_path / str(number), PIXELS, **fields)
    assert index_folder(tmp_path, DataSettings()).set_aside == {Reason.GEOMETRY: 6}


def test_one_slice_over_time_has_a_place(tmp_path, write_image):
    for number in range(6):
        fields = {"InstanceNumber": number, "TriggerTime": 40.0 * number, "SliceLocation": 3}
        write_image(tmp_path / str(number), PIXELS, **fields)
    assert [len(stack.slices) for stack in stacks_of(tmp_path)] == [1] * 6


def test_phases_whose_slices_lie_between_each_other_do_not_mix(tmp_path, write_image):
    for phase in range(2):
        for number in range(6):
            write_image(
                tmp_path / f"{phase}{number}",
                PIXELS,
                ImagePositionPatient=[0, 0, 5.0 * number + 2.5 * phase],
                SliceThickness=5,
                AcquisitionNumber=phase + 1,
            )
    assert [depths(stack) for stack in stacks_of(tmp_path)] == [
        [0, 5, 10, 15, 20, 25],
        [2.5, 7.5, 12.5, 17.5, 22.5, 27.5],
    ]


def test_packages_of_every_other_slice_are_one_volume(tmp_path, write_image):
    for number in range(8):
        write_image(
            tmp_path / str(number),
            PIXELS,
            ImagePositionPatient=[0, 0, 5.0 * number],
            SliceThickness=5,
            AcquisitionNumber=number % 2 + 1,
            AcquisitionTime=f"10{number % 2:02d}{number:02d}",
        )
    (stack,) = stacks_of(tmp_path)
    assert depths(stack) == [5.0 * number for number in range(8)]


def test_packages_of_two_phases_stay_with_their_phase(tmp_path, write_image):
    for phase in range(2):
        for number in range(8):
            write_image(
                tmp_path / f"{phase}{number}",
                np.full_like(PIXELS, phase),
                ImagePositionPatient=[0, 0, 5.0 * number],
                SliceThickness=5,
                AcquisitionNumber=phase * 2 + number % 2,
            )
    first, second = stacks_of(tmp_path)
    assert {item.path[0] for item in first.slices} == {"0"}
    assert {item.path[0] for item in second.slices} == {"1"}


def test_echoes_in_phases_are_told_apart_by_both(tmp_path, write_image):
    for phase in range(3):
        for echo in range(2):
            for number in range(4):
                write_image(
                    tmp_path / f"{phase}{echo}{number}",
                    PIXELS,
                    Modality="MR",
                    EchoTime=30 + 0.4 * echo,
                    TemporalPositionIdentifier=phase,
                    ImagePositionPatient=[0, 0, 4.0 * number],
                )
    stacks = stacks_of(tmp_path)
    assert len(stacks) == 6
    assert all(len({item.path[:2] for item in stack.slices}) == 1 for stack in stacks)


def test_a_phase_of_a_part_lies_in_its_part_of_the_whole(tmp_path):
    settings = DataSettings(image_size=32, max_slices_per_series=100)
    write_head(tmp_path / "0", np.arange(-80, 81, 5.0), AcquisitionNumber=1)
    write_head(tmp_path / "1", np.arange(30, 61, 5.0), AcquisitionNumber=2)
    (series,) = index_folder(tmp_path, settings).patients[0].studies[0].series
    assert [len(stack.slices) for stack in series.stacks] == [33, 7]
    positions = [e.position for e in series_examples(tmp_path, series, settings).examples]
    whole, part = np.array(positions[:33]), np.array(positions[33:])
    np.testing.assert_allclose(part, whole[22:29], atol=0.01)


def test_two_parts_with_other_pixels_lie_in_one_scan(tmp_path):
    settings = DataSettings(image_size=32, max_slices_per_series=100)
    write_head(tmp_path / "0", np.arange(-80, -9, 5.0))
    write_head(tmp_path / "1", np.arange(0, 81, 5.0), pixel=3.6)
    (series,) = index_folder(tmp_path, settings).patients[0].studies[0].series
    assert sorted(len(stack.slices) for stack in series.stacks) == [15, 17]
    examples = series_examples(tmp_path, series, settings).examples
    upper = [e.position for e in examples if e.position > 0.49]
    assert len(upper) == 17
    assert min(upper) == pytest.approx(0.5, abs=0.02)


def test_a_file_cannot_promise_endless_frames(tmp_path, make_image, save_dicom):
    ds = dcmread(save_dicom(make_image(PIXELS, Modality="XA"), tmp_path / "a"))
    ds.compress(RLELossless)
    ds.NumberOfFrames = 2_000_000_000
    ds.save_as(tmp_path / "a")
    assert index_folder(tmp_path, DataSettings()).set_aside == {Reason.TOO_MANY: 1}


def test_last_digits_decide_neither_plane_nor_words(tmp_path, write_image):
    # An oblique at 45 degrees, and an echo time at the threshold of T1 weighting.
    half = np.sqrt(0.5)
    for number in range(7):
        turn = (-1) ** number * 1e-6
        write_image(
            tmp_path / str(number),
            PIXELS,
            Modality="MR",
            ScanningSequence="SE",
            RepetitionTime=500,
            EchoTime=30 + turn,
            ImageOrientationPatient=[1, 0, 0, 0, half + turn, -half + turn],
            ImagePositionPatient=[0, 3 * number * half, 3 * number * half],
            SliceThickness=3,
        )
    (stack,) = stacks_of(tmp_path)
    np.testing.assert_allclose(np.diff(depths(stack)), 3, atol=0.02)
    assert stack.description.plane in ("axial", "coronal")


def test_a_stack_has_a_bound(tmp_path, write_image, monkeypatch):
    monkeypatch.setattr(build, "MAX_SLICES", 5)
    for number in range(8):
        write_image(tmp_path / str(number), PIXELS, ImagePositionPatient=[0, 0, 2.0 * number])
    assert index_folder(tmp_path, DataSettings()).set_aside == {Reason.TOO_MANY: 3}
    assert [len(stack.slices) for stack in stacks_of(tmp_path)] == [5]


@pytest.mark.parametrize("tilt", [-20, 20])
def test_pictures_of_a_tilted_gantry_stand_upright(tmp_path, tilt):
    settings = DataSettings(image_size=64, planes="all", max_slices_per_series=64)
    write_head(tmp_path, np.arange(-80, 81, 5.0), tilt=tilt)
    (series,) = index_folder(tmp_path, settings).patients[0].studies[0].series
    examples = series_examples(tmp_path, series, settings).examples
    sagittal = [e.image for e in examples if e.description.plane == "sagittal"]
    middle = max(sagittal, key=lambda image: (image > 0.4).sum() * (image.mean() > -0.6))
    rows = np.arange(24, 40)  # where nothing but brain and rod can be
    columns = np.arange(14, 50)
    brightest = columns[np.argmax(middle[rows][:, columns], axis=1)]
    assert np.ptp(brightest) <= 1, "the rod stands straight"
    # Head to the top and front to the left: the rod stands behind the middle.
    assert ROD[1] > 0
    coronal = [e.image for e in examples if e.description.plane == "coronal"]
    shown = np.array([(image > -0.9).sum() for image in coronal])
    widest = coronal[int(shown.argmax())] > -0.9
    assert abs(widest[:, :32].sum() - widest[:, :31:-1].sum()) < 0.05 * widest.sum()
