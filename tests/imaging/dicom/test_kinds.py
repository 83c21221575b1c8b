"""Localizers, mosaics and volumes of films are what they are, whatever their headers call them."""

from __future__ import annotations

import numpy as np
import pytest
from fedscan.imaging.dicom.index import index_folder
from fedscan.imaging.dicom.set_aside import Reason
from fedscan.imaging.examples.series import series_examples
from fedscan.imaging.settings import DataSettings
from pydicom.dataset import Dataset
from pydicom.uid import (
    BreastTomosynthesisImageStorage,
    CTImageStorage,
    DigitalMammographyXRayImageStorageForPresentation,
    EnhancedMRImageStorage,
    EnhancedPETImageStorage,
    EnhancedUSVolumeStorage,
    EnhancedXAImageStorage,
    EnhancedXRFImageStorage,
    NuclearMedicineImageStorage,
    PositronEmissionTomographyImageStorage,
    XRay3DAngiographicImageStorage,
)

PIXELS = np.arange(256, dtype=np.int16).reshape(16, 16)
MOSAIC = ["ORIGINAL", "PRIMARY", "M", "ND", "MOSAIC"]
PLANES = {
    "axial": [1, 0, 0, 0, 1, 0],
    "coronal": [1, 0, 0, 0, 0, -1],
    "sagittal": [0, 1, 0, 0, 0, -1],
}


def reasons(folder) -> dict[Reason, int]:
    return dict(index_folder(folder, DataSettings()).set_aside)


def slices_of(folder) -> int:
    index = index_folder(folder, DataSettings())
    return sum(s.slices for p in index.patients for study in p.studies for s in study.series)


def write_planes(write_image, folder, count: int, planes=tuple(PLANES), **fields: object) -> None:
    for plane in planes:
        across = ("sagittal", "coronal", "axial").index(plane)
        for number in range(count):
            position = [0.0, 0.0, 0.0]
            position[across] = 20.0 * number
            write_image(
                folder / f"{plane}{number}",
                PIXELS,
                Modality="MR",
                ImageOrientationPatient=PLANES[plane],
                ImagePositionPatient=position,
                ImageType=["ORIGINAL", "PRIMARY", "M"],
                **fields,
            )


@pytest.mark.parametrize(
    ("name", "count", "planes"),
    [
        ("localizer", 3, 3),
        ("Lokalizer", 3, 3),
        ("AAHead_Scout", 30, 1),
        ("3 Plane Loc", 5, 3),
        ("SURVEY", 3, 2),
        ("T1 fast", 3, 3),  # three crossing planes with a handful of slices, whatever its name
    ],
)
def test_a_localizer_that_is_not_flagged_is_set_aside(tmp_path, write_image, name, count, planes):
    write_planes(write_image, tmp_path, count, tuple(PLANES)[:planes], SeriesDescription=name)
    assert reasons(tmp_path) == {Reason.LOCALIZER: count * planes}


@pytest.mark.parametrize(
    ("name", "count", "planes", "fields"),
    [
        ("T1 localized lesion", 12, 1, {}),
        ("whole body survey", 40, 1, {}),
        ("T2 sag", 5, 2, {"ProtocolName": "localizer"}),
        ("MPR", 20, 3, {}),
    ],
)
def test_a_scan_is_no_localizer(tmp_path, write_image, name, count, planes, fields):
    write_planes(
        write_image, tmp_path, count, tuple(PLANES)[:planes], SeriesDescription=name, **fields
    )
    assert slices_of(tmp_path) == count * planes


def test_scouts_of_ct_are_told_by_their_options(tmp_path, write_image):
    write_image(tmp_path / "a", PIXELS, ScanOptions="SCOUT MODE")
    assert reasons(tmp_path) == {Reason.LOCALIZER: 1}


@pytest.mark.parametrize(
    ("fields", "mosaic"),
    [
        ({"ImageType": MOSAIC}, True),
        ({"PixelSpacing": [72, 72]}, True),  # wider than any magnet
        ({"ImageType": MOSAIC, "AcquisitionMatrix": [4, 0, 0, 4]}, True),
        # Taken apart by an archive, which left the word.
        ({"ImageType": MOSAIC, "AcquisitionMatrix": [16, 0, 0, 16]}, False),
        ({}, False),
    ],
)
def test_mosaics(tmp_path, write_image, fields, mosaic):
    write_image(tmp_path / "a", PIXELS, Modality="MR", **fields)
    assert reasons(tmp_path) == ({Reason.MOSAIC: 1} if mosaic else {})


def test_a_mosaic_is_told_by_its_private_count(tmp_path, make_image, save_dicom):
    ds = make_image(PIXELS, Modality="MR")
    block = ds.private_block(0x0019, "SIEMENS MR HEADER", create=True)
    block.add_new(0x0A, "US", 16)
    save_dicom(ds, tmp_path / "a")
    assert reasons(tmp_path) == {Reason.MOSAIC: 1}


def enhanced_mr(make_image, pixels: np.ndarray, **fields: object) -> Dataset:
    ds = make_image(
        pixels,
        Modality="MR",
        SOPClassUID=EnhancedMRImageStorage,
        ImageOrientationPatient=None,
        ImagePositionPatient=None,
        PixelSpacing=None,
        **fields,
    )
    shared, orientation, measures = Dataset(), Dataset(), Dataset()
    orientation.ImageOrientationPatient = [1, 0, 0, 0, 1, 0]
    measures.PixelSpacing, measures.SliceThickness = [2, 2], 3
    shared.PlaneOrientationSequence, shared.PixelMeasuresSequence = [orientation], [measures]
    ds.SharedFunctionalGroupsSequence = [shared]
    ds.PerFrameFunctionalGroupsSequence = []
    for number in range(len(pixels)):
        group, position, content, kind = Dataset(), Dataset(), Dataset(), Dataset()
        position.ImagePositionPatient = [0, 0, 3.0 * (number // 2)]
        content.TemporalPositionIndex = number % 2 + 1
        kind.FrameType = ["ORIGINAL", "PRIMARY", "FMRI", "MOSAIC"]
        group.PlanePositionSequence, group.FrameContentSequence = [position], [content]
        group.MRImageFrameTypeSequence = [kind]
        ds.PerFrameFunctionalGroupsSequence.append(group)
    return ds


def test_an_enhanced_image_that_says_mosaic_is_slices_in_phases(tmp_path, make_image, save_dicom):
    pixels = np.zeros((10, 16, 16), np.int16)
    ds = enhanced_mr(make_image, pixels, ImageType=["ORIGINAL", "PRIMARY", "FMRI", "MOSAIC"])
    save_dicom(ds, tmp_path / "a")
    (series,) = index_folder(tmp_path, DataSettings()).patients[0].studies[0].series
    assert [[s.frame for s in stack.slices] for stack in series.stacks] == [
        [0, 2, 4, 6, 8],
        [1, 3, 5, 7, 9],
    ]


def test_converted_objects_keep_what_has_no_macro(tmp_path, make_image, save_dicom):
    ds = enhanced_mr(make_image, np.zeros((8, 16, 16), np.int16))
    for number, group in enumerate(ds.PerFrameFunctionalGroupsSequence):
        del group.FrameContentSequence
        old = Dataset()
        old.AcquisitionNumber = number % 2
        group.UnassignedPerFrameConvertedAttributesSequence = [old]
    save_dicom(ds, tmp_path / "a")
    (series,) = index_folder(tmp_path, DataSettings()).patients[0].studies[0].series
    assert [[s.frame for s in stack.slices] for stack in series.stacks] == [
        [0, 2, 4, 6],
        [1, 3, 5, 7],
    ]


@pytest.mark.parametrize(
    ("modality", "storage"),
    [
        ("XA", EnhancedXAImageStorage),
        ("US", EnhancedUSVolumeStorage),
        ("RF", EnhancedXRFImageStorage),
    ],
)
def test_other_enhanced_objects_are_projections(
    tmp_path, make_image, save_dicom, modality, storage
):
    ds = enhanced_mr(make_image, np.zeros((4, 16, 16), np.int16), BurnedInAnnotation="NO")
    ds.Modality, ds.SOPClassUID = modality, storage
    save_dicom(ds, tmp_path / "a")
    (series,) = index_folder(tmp_path, DataSettings()).patients[0].studies[0].series
    assert [item.plane for stack in series.stacks for item in stack.slices] == [None] * 4


def test_frames_that_are_not_all_described_are_broken(tmp_path, make_image, save_dicom):
    ds = enhanced_mr(make_image, np.zeros((8, 16, 16), np.int16))
    del ds.PerFrameFunctionalGroupsSequence[3:]
    save_dicom(ds, tmp_path / "a")
    assert reasons(tmp_path) == {Reason.BROKEN: 1}


@pytest.mark.parametrize(
    ("fields", "reason"),
    [
        ({"Modality": "PT", "SOPClassUID": PositronEmissionTomographyImageStorage}, "MODALITY"),
        ({"SOPClassUID": PositronEmissionTomographyImageStorage}, "MODALITY"),
        ({"Modality": "PT", "SOPClassUID": EnhancedPETImageStorage}, "MODALITY"),
        ({"Modality": "XA", "SOPClassUID": XRay3DAngiographicImageStorage}, "TOMOSYNTHESIS"),
        ({"Modality": "NM", "SOPClassUID": NuclearMedicineImageStorage}, "MODALITY"),
        ({"Modality": "MG", "SOPClassUID": BreastTomosynthesisImageStorage}, "TOMOSYNTHESIS"),
        ({"Modality": "MG", "SOPClassUID": CTImageStorage}, "TOMOSYNTHESIS"),
        ({"SeriesDescription": "L CC Breast Tomosynthesis Image"}, "TOMOSYNTHESIS"),
        ({"BodyPartExamined": "BREAST", "SeriesDescription": "R MLO Tomo"}, "TOMOSYNTHESIS"),
    ],
)
def test_other_tomography_stays_out_with_a_reason(tmp_path, write_image, fields, reason):
    write_image(tmp_path / "a", PIXELS, **fields)
    assert reasons(tmp_path) == {Reason[reason]: 1}


def test_a_plain_mammogram_and_a_ct_of_the_breast_are_used(tmp_path, write_image):
    write_image(
        tmp_path / "a",
        PIXELS,
        Modality="MG",
        SOPClassUID=DigitalMammographyXRayImageStorageForPresentation,
    )
    write_image(tmp_path / "b", PIXELS, BodyPartExamined="BREAST", SeriesInstanceUID="1.9")
    assert slices_of(tmp_path) == 2


def test_a_film_has_no_place_in_space(tmp_path, write_image):
    pixels = np.add.outer(np.arange(20) * 7, np.arange(16) * 3).astype(np.uint8)
    place = {"ImagePositionPatient": [0, 0, 0], "ImageOrientationPatient": [1, 0, 0, 0, 1, 0]}
    for name, fields in (("without", {}), ("with", place)):
        write_image(
            tmp_path / name,
            pixels,
            Modality="CR",
            PatientID=name,
            PatientOrientation=["R", "F"],
            WindowCenter=60,
            WindowWidth=80,
            **fields,
        )
    index = index_folder(tmp_path, DataSettings())
    images = [
        series_examples(tmp_path, series, DataSettings(image_size=16)).examples[0].image
        for patient in index.patients
        for study in patient.studies
        for series in study.series
    ]
    np.testing.assert_array_equal(images[0], images[1])


@pytest.mark.parametrize(
    ("spacing", "found"),
    [
        (["2,0", "4,0"], (2.0, 4.0)),
        ([2, 4], (2.0, 4.0)),
        (None, None),
        ([0, 0], None),
        ([-1, -1], None),
        (["one", "two"], None),
        ([2], None),
        (["2,0,4", "1"], None),
    ],
)
@pytest.mark.filterwarnings("ignore:Invalid value for VR DS")
@pytest.mark.filterwarnings("ignore:.*Value .* is not valid.*")
def test_a_slice_has_a_readable_pixel_size(tmp_path, make_image, save_dicom, spacing, found):
    from pydicom.config import disable_value_validation
    from pydicom.dataelem import DataElement, RawDataElement
    from pydicom.tag import Tag

    with disable_value_validation():
        ds = make_image(PIXELS)
        del ds.PixelSpacing
        if spacing is not None:
            text = "\\".join(map(str, spacing)).encode()
            raw = RawDataElement(Tag("PixelSpacing"), "DS", len(text), text, 0, False, True)
            assert not isinstance(raw, DataElement)
            ds._dict[Tag("PixelSpacing")] = raw
        save_dicom(ds, tmp_path / "a")
    index = index_folder(tmp_path, DataSettings())
    if found is None:
        assert index.set_aside == {Reason.GEOMETRY: 1}
    else:
        assert index.patients[0].studies[0].series[0].stacks[0].spacing == found
