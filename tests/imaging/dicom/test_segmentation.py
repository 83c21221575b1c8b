"""Segmentations lie on the slices they were drawn on, and name each slice's finding."""

from __future__ import annotations

from pathlib import Path

import highdicom as hd
import numpy as np
import pytest
from fedscan.errors import DataError
from fedscan.imaging.dicom.index import index_folder
from fedscan.imaging.dicom.set_aside import Reason
from fedscan.imaging.examples.series import SeriesExamples, series_examples
from fedscan.imaging.reading.scan_files import read_segments
from fedscan.imaging.settings import DataSettings
from fedscan.model.conditions import LABEL, UNKNOWN
from pydicom import Dataset, dcmread
from pydicom.sr.codedict import codes
from pydicom.uid import generate_uid

SETTINGS = DataSettings(image_size=16)


def write_segmentation(
    path: Path,
    sources: list[Path],
    labels: np.ndarray,
    names: dict[str, int],
    kind: str = "BINARY",
) -> None:
    """Write ``labels`` ``[slice, row, column]`` (in the sources' order) with highdicom."""
    stack = np.stack([labels == value for value in names.values()], -1)
    pixels = stack.astype(np.float32 if kind == "FRACTIONAL" else np.uint8)
    images = [_complete(dcmread(source)) for source in sources]
    segmentation = hd.seg.Segmentation(
        source_images=images,
        pixel_array=pixels,
        segmentation_type=kind,
        segment_descriptions=[
            hd.seg.SegmentDescription(
                segment_number=number,
                segment_label=name,
                segmented_property_category=codes.SCT.Tissue,
                segmented_property_type=codes.SCT.Brain
                if name == "by its code"
                else codes.SCT.SoftTissue,
                algorithm_type="MANUAL",
            )
            for number, name in enumerate(names, start=1)
        ],
        series_instance_uid=generate_uid(),
        series_number=9,
        sop_instance_uid=generate_uid(),
        instance_number=1,
        manufacturer="test",
        manufacturer_model_name="test",
        software_versions="1",
        device_serial_number="1",
        omit_empty_frames=True,
    )
    segmentation.save_as(path)


def _complete(ds: Dataset) -> Dataset:
    """Add what highdicom wants to copy."""
    for keyword in ("PatientBirthDate", "StudyDate", "StudyTime", "AccessionNumber", "StudyID"):
        setattr(ds, keyword, "")
    ds.PatientSex = ds.ReferringPhysicianName = ""
    return ds


def read(folder: Path, settings: DataSettings = SETTINGS) -> SeriesExamples:
    (series,) = index_folder(folder, settings).patients[0].studies[0].series
    return series_examples(folder, series, settings)


@pytest.fixture
def labels() -> np.ndarray:
    """Label map ``[Z, Y, X]``: tissue everywhere below, a lesion in two slices."""
    found = np.zeros((6, 16, 16), np.uint8)
    found[:4, 3:12, 2:9] = LABEL["brain"]
    found[1:3, 5:8, 4:6] = LABEL["lesion"]
    return found


NAMES = {"brain": LABEL["brain"], "Lesion": LABEL["lesion"]}


@pytest.mark.parametrize("kind", ["BINARY", "FRACTIONAL"])
@pytest.mark.parametrize("flips", [(False, False, False), (True, True, True)])
def test_masks_lie_on_their_slices(tmp_path, write_volume, labels, kind, flips):
    volume = labels.astype(np.int16) * 100
    fields = {"FrameOfReferenceUID": "1.5"}
    sources = write_volume(tmp_path, volume, flips=flips, **fields)
    stored = labels[tuple(slice(None, None, -1 if flip else 1) for flip in flips)]
    write_segmentation(tmp_path / "seg", sources, stored, NAMES, kind)
    result = read(tmp_path)
    assert not result.set_aside.total()
    np.testing.assert_array_equal([e.mask for e in result.examples], labels)


def test_only_slices_with_a_lesion_are_called_so(tmp_path, write_volume, labels):
    finding = Dataset()
    finding.CodeValue = "52988006"
    fields = {"FrameOfReferenceUID": "1.5", "AdmittingDiagnosesCodeSequence": [finding]}
    sources = write_volume(tmp_path, labels.astype(np.int16) * 100, **fields)
    assert {e.description.finding for e in read(tmp_path).examples} == {"lesion"}
    write_segmentation(tmp_path / "seg", sources, labels, NAMES)
    assert [e.description.finding for e in read(tmp_path).examples] == [
        "no finding", "lesion", "lesion", "no finding", "no finding", "no finding",
    ]  # fmt: skip


def test_a_segmentation_without_lesions_says_nothing_about_them(tmp_path, write_volume, labels):
    finding = Dataset()
    finding.CodeValue = "233604007"
    fields = {"FrameOfReferenceUID": "1.5", "AdmittingDiagnosesCodeSequence": [finding]}
    sources = write_volume(tmp_path, labels.astype(np.int16) * 100, **fields)
    write_segmentation(tmp_path / "seg", sources, labels, {"by its code": LABEL["brain"]})
    examples = read(tmp_path).examples
    assert {e.description.finding for e in examples} == {"pneumonia"}
    np.testing.assert_array_equal(
        [e.mask for e in examples], np.where(labels == LABEL["brain"], LABEL["brain"], 0)
    )


def test_masks_follow_the_image_through_resampling(tmp_path, write_volume, labels):
    volume = labels.astype(np.int16) * 100
    spacing = (4.0, 1.0, 1.0)
    sources = write_volume(
        tmp_path, np.repeat(volume, 2, 0), spacing=spacing, FrameOfReferenceUID="1.5"
    )
    write_segmentation(tmp_path / "seg", sources, np.repeat(labels, 2, 0), NAMES)
    settings = DataSettings(image_size=16, planes="all")
    examples = read(tmp_path, settings).examples
    assert {e.description.plane for e in examples} == {"axial", "coronal", "sagittal"}
    for example in examples:
        bright = example.image > 0.6 + 0.4 * 200 / 1800  # above 400 HU: brain is 500, lesion 800
        seen = example.mask > 0
        assert (bright == seen).mean() > 0.85
        expected = "lesion" if (example.mask == LABEL["lesion"]).any() else "no finding"
        assert example.description.finding == expected


def recoded(path: Path, number: int, label: str, value: str, scheme: str) -> None:
    """Give a segment another label and type, of no category."""
    ds = dcmread(path)
    item = ds.SegmentSequence[number - 1]
    item.SegmentLabel = label
    del item.SegmentedPropertyCategoryCodeSequence
    (code,) = item.SegmentedPropertyTypeCodeSequence
    code.CodeValue, code.CodingSchemeDesignator, code.CodeMeaning = value, scheme, "-"
    ds.save_as(path)


def test_older_codes_name_the_same_classes(tmp_path, write_volume, labels):
    sources = write_volume(tmp_path, labels.astype(np.int16) * 100, FrameOfReferenceUID="1.5")
    write_segmentation(tmp_path / "seg", sources, labels, NAMES)
    recoded(tmp_path / "seg", 1, "1", "T-A0100", "SRT")
    recoded(tmp_path / "seg", 2, "2", "M-01100", "SRT")
    result = read(tmp_path)
    np.testing.assert_array_equal([e.mask for e in result.examples], labels)
    assert {e.description.finding for e in result.examples} == {"lesion", "no finding"}
    assert not result.set_aside.total()


def test_a_segmentation_of_no_known_class_gives_no_mask(tmp_path, write_volume, labels):
    sources = write_volume(tmp_path, labels.astype(np.int16) * 100, FrameOfReferenceUID="1.5")
    write_segmentation(tmp_path / "seg", sources, labels, {"brain": LABEL["brain"]})
    recoded(tmp_path / "seg", 1, "Zorgon", "99-1", "99LOCAL")
    result = read(tmp_path)
    assert [example.mask for example in result.examples] == [None] * 6
    assert result.set_aside == {Reason.SEGMENT: 1}
    with pytest.raises(DataError, match="no segment of a known class"):
        read_segments(tmp_path / "seg")


def test_what_is_unknown_beside_known_classes_is_not_called_empty(tmp_path, write_volume, labels):
    fields = {"FrameOfReferenceUID": "1.5", "StudyDescription": "pneumonia"}
    labels[4] = labels[0]  # where something unknown is marked, and nothing else
    names = {**NAMES, "strange": LABEL["bone"]}
    labels[4][labels[4] > 0] = LABEL["bone"]
    sources = write_volume(tmp_path, labels.astype(np.int16) * 100, **fields)
    write_segmentation(tmp_path / "seg", sources, labels, names)
    recoded(tmp_path / "seg", 3, "strange", "99-1", "99LOCAL")
    result = read(tmp_path)
    expected = np.where(labels == LABEL["bone"], UNKNOWN, labels)
    np.testing.assert_array_equal([e.mask for e in result.examples], expected)
    assert result.set_aside == {Reason.SEGMENT: 1}
    # It may be a lesion: nobody says "no finding" of that slice.
    assert [e.description.finding for e in result.examples] == [
        "no finding", "pneumonia", "pneumonia", "no finding", "pneumonia", "no finding",
    ]  # fmt: skip


def test_a_damaged_segmentation_is_counted(tmp_path, write_volume, labels):
    sources = write_volume(tmp_path, labels.astype(np.int16) * 100, FrameOfReferenceUID="1.5")
    write_segmentation(tmp_path / "seg", sources, labels, NAMES)
    ds = dcmread(tmp_path / "seg")
    ds.NumberOfFrames = 1
    ds.save_as(tmp_path / "seg")
    result = read(tmp_path)
    assert [example.mask for example in result.examples] == [None] * 6
    assert result.set_aside == {Reason.BROKEN: 1}


def test_another_patients_segmentation_is_not_used(tmp_path, write_volume, labels):
    sources = write_volume(tmp_path, labels.astype(np.int16) * 100, FrameOfReferenceUID="1.5")
    write_segmentation(tmp_path / "seg", sources, labels, NAMES)
    ds = dcmread(tmp_path / "seg")
    ds.PatientID = "somebody else"
    ds.save_as(tmp_path / "seg")
    assert all(example.mask is None for example in read(tmp_path).examples)
    assert index_folder(tmp_path, SETTINGS).set_aside == {Reason.ORPHAN: 1}


def test_last_digits_of_a_place_make_no_layers(tmp_path, write_volume, labels):
    sources = write_volume(
        tmp_path,
        np.zeros((6, 16, 16), np.int16),
        spacing=(4.0, 1.0, 1.0),
        FrameOfReferenceUID="1.2.9",
    )
    write_segmentation(tmp_path / "seg", sources, labels, NAMES)
    ds = dcmread(tmp_path / "seg")
    for number, group in enumerate(ds.PerFrameFunctionalGroupsSequence):
        position = group.PlanePositionSequence[0].ImagePositionPatient
        position[2] = float(position[2]) + 0.006 * (-1) ** number
    ds.save_as(tmp_path / "seg")
    found, _ = read_segments(tmp_path / "seg")
    assert len(found) == 4
    np.testing.assert_array_equal(found, labels[:4])
