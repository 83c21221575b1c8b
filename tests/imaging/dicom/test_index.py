"""Folders in any order and nesting become the same patients; odd files are counted."""

from __future__ import annotations

import os
import shutil
from pathlib import Path

import numpy as np
import pytest
from fedscan.errors import DataError
from fedscan.imaging.dicom.folder import list_files
from fedscan.imaging.dicom.index import index_folder
from fedscan.imaging.dicom.set_aside import Reason
from fedscan.imaging.dicom.summary import shared_sentence, summarise
from fedscan.imaging.settings import DataSettings
from pydicom import dcmread
from pydicom.dataset import Dataset
from pydicom.uid import MPEG2MPML, SecondaryCaptureImageStorage, generate_uid

PIXELS = np.arange(256, dtype=np.int16).reshape(16, 16)


def shape_of(folder: Path) -> list[tuple[str, list[tuple[str, list[list[str]]]]]]:
    """Patients, studies and slice UIDs, without paths."""
    return [
        (
            patient.patient_id,
            [
                (study.uid, [[s.sop_uid for k in e.stacks for s in k.slices] for e in study.series])
                for study in patient.studies
            ],
        )
        for patient in index_folder(folder, DataSettings()).patients
    ]


def test_order_names_and_nesting_do_not_matter(tmp_path, write_volume):
    volume = np.zeros((6, 16, 16), np.int16)
    for patient, study, series in (
        ("b", "2", "1"),
        ("a", "1", "2"),
        ("a", "1", "1"),
        ("a", "3", "1"),
    ):
        write_volume(
            tmp_path / "one" / patient / study / series,
            volume,
            PatientID=patient,
            StudyInstanceUID=f"1.{study}",
            SeriesInstanceUID=f"1.{study}.{series}",
        )
    files = [tmp_path / "one" / entry.path for entry in list_files(tmp_path / "one")]
    order = np.random.default_rng(0).permutation(len(files))
    for number, place in enumerate(order):
        target = tmp_path / "two" / ("deep/er" if number % 2 else ".") / f"{number}.txt"
        target.parent.mkdir(parents=True, exist_ok=True)
        shutil.copy(files[place], target)
    found = shape_of(tmp_path / "one")
    assert found == shape_of(tmp_path / "two")
    assert [(name, [len(series) for _, series in studies]) for name, studies in found] == [
        ("a", [2, 1]),
        ("b", [1]),
    ]
    slices = found[0][1][0][1][0]
    by_position = sorted(
        (float(dcmread(f).ImagePositionPatient[2]), dcmread(f).SOPInstanceUID)
        for f in files
        if dcmread(f).SeriesInstanceUID == "1.1.1"
    )
    assert slices == [uid for _, uid in by_position]


def test_each_reason_is_counted(tmp_path, write_image, make_image, save_dicom):
    write_image(tmp_path / "good", PIXELS)
    whole = (tmp_path / "good").read_bytes()
    (tmp_path / "notes.txt").write_text("DICM, but not where it belongs")
    (tmp_path / "empty").touch()
    (tmp_path / "cut").write_bytes(whole[:-20])
    (tmp_path / "cut-header").write_bytes(whole[:200])
    (tmp_path / "copy").write_bytes(whole)
    os.symlink(tmp_path / "nowhere", tmp_path / "dangling")
    os.mkfifo(tmp_path / "pipe")
    for number, fields in enumerate(
        (
            {"PatientID": None},
            {"PatientID": "  "},
            {"Modality": "PT"},
            {"BurnedInAnnotation": "YES"},
            {"Modality": "US"},
            {"Modality": "DX", "SOPClassUID": SecondaryCaptureImageStorage},
            {"PhotometricInterpretation": "HSV"},
            {"PhotometricInterpretation": "PALETTE COLOR"},
            {"ImageType": ["ORIGINAL", "PRIMARY", "LOCALIZER"]},
            {"ImageOrientationPatient": None},
            {"ImageOrientationPatient": [1, 0, 0, 1, 0, 0]},
            {"ImageOrientationPatient": [0, 0, 0, 0, 0, 0]},
            {"PixelData": None},
            {"Rows": 2},
            {"Modality": "DX", "PresentationIntentType": "FOR PROCESSING"},
        )
    ):
        save_dicom(make_image(PIXELS, **fields), tmp_path / f"bad-{number}")
    video = make_image(PIXELS, Modality="XA")
    path = save_dicom(video, tmp_path / "video")
    ds = dcmread(path)
    ds.file_meta.TransferSyntaxUID = MPEG2MPML
    ds.PixelData = b"\xfe\xff\x00\xe0" + bytes(4) + b"\xfe\xff\xdd\xe0" + bytes(4)
    ds["PixelData"].is_undefined_length = True
    ds.save_as(path)
    index = index_folder(tmp_path, DataSettings())
    assert [patient.patient_id for patient in index.patients] == ["patient"]
    assert index.set_aside == {
        Reason.NOT_DICOM: 2,
        Reason.BROKEN: 1,
        Reason.NO_PIXELS: 2,  # one of them is cut within the header
        Reason.DUPLICATE: 1,
        Reason.UNREADABLE: 2,
        Reason.NO_PATIENT: 2,
        Reason.MODALITY: 1,
        Reason.BURNED_IN: 3,
        Reason.PHOTOMETRIC: 1,
        Reason.COLOUR: 1,
        Reason.LOCALIZER: 1,
        Reason.GEOMETRY: 3,
        Reason.SIZE: 1,
        Reason.RAW: 1,
        Reason.ENCODING: 1,
    }


@pytest.mark.parametrize(
    ("policy", "accepted"),
    [
        ("refuse_marked", {"ct", "us", "ct-no", "us-no"}),
        ("refuse_likely", {"ct", "ct-no", "us-no"}),
        ("refuse_unstated", {"ct-no", "us-no"}),
    ],
)
def test_burned_in_policies(tmp_path, write_image, policy, accepted):
    for modality in ("CT", "US"):
        name = modality.lower()
        for suffix, fields in (("", {}), ("-no", {"BurnedInAnnotation": "NO"})):
            write_image(tmp_path / (name + suffix), PIXELS, Modality=modality, **fields)
        write_image(tmp_path / f"{name}-yes", PIXELS, Modality=modality, BurnedInAnnotation="YES")
    index = index_folder(tmp_path, DataSettings(burned_in=policy))
    assert {entry.path for entry in index.patients[0].files} == accepted


def test_identifiers_that_differ_in_case_and_blanks_are_one_patient(tmp_path, write_image):
    for number, name in enumerate(("AB1", "ab1 ", " Ab1")):
        write_image(tmp_path / str(number), PIXELS, PatientID=name)
    assert len(index_folder(tmp_path, DataSettings()).patients) == 1


def test_echoes_and_repeated_phases_become_separate_volumes(tmp_path, write_volume):
    volume = np.zeros((4, 16, 16), np.int16)
    for echo in (10, 90):
        write_volume(tmp_path / f"echo{echo}", volume, Modality="MR", EchoTime=echo)
    for phase in range(3):
        write_volume(tmp_path / f"p{phase}", volume, Modality="MR", SeriesInstanceUID="1.7")
    series = index_folder(tmp_path, DataSettings()).patients[0].studies[0].series
    assert [[len(stack.slices) for stack in one.stacks] for one in series] == [[4, 4], [4, 4, 4]]


def test_slices_are_ordered_by_position_not_by_number(tmp_path, write_image):
    rng = np.random.default_rng(1)
    depths = rng.permutation(10) * 2.5 - 7
    for number, depth in enumerate(depths):
        write_image(tmp_path / str(number), PIXELS, ImagePositionPatient=[0, 0, depth])
    (stack,) = index_folder(tmp_path, DataSettings()).patients[0].studies[0].series[0].stacks
    np.testing.assert_allclose([item.plane.position[2] for item in stack.slices], np.sort(depths))


def test_hostile_header_values_are_only_a_reason(tmp_path, make_image, save_dicom):
    rng = np.random.default_rng(3)
    whole = bytearray(save_dicom(make_image(PIXELS), tmp_path / "good").read_bytes())
    for number in range(200):
        damaged = bytearray(whole)
        for place in rng.integers(132, len(whole) - 520, 6):
            damaged[place] = rng.integers(256)
        (tmp_path / f"{number:03d}").write_bytes(damaged)
    index = index_folder(tmp_path, DataSettings())
    used = sum(len(patient.files) for patient in index.patients)
    assert used + index.set_aside.total() == 201


def test_the_summary_counts_patients_and_slices_by_what_they_show(tmp_path, write_volume):
    volume = np.zeros((4, 16, 16), np.int16)
    for patient, sex in (("a", "F"), ("b", "M")):
        uid = generate_uid()
        write_volume(
            tmp_path / patient, volume, PatientID=patient, PatientSex=sex, StudyInstanceUID=uid
        )
    (tmp_path / "junk").touch()
    summary = summarise(index_folder(tmp_path, DataSettings()))
    assert (summary.patients, summary.studies, summary.series, summary.slices) == (2, 2, 2, 8)
    assert summary.captions == {"axial CT slice of the chest": (2, 8)}
    assert summary.set_aside == {"not a DICOM file": 1}


def test_a_missing_folder_is_an_error(tmp_path):
    with pytest.raises(DataError, match="does not exist"):
        index_folder(tmp_path / "nowhere", DataSettings())


def test_nothing_identifying_is_shown_by_accident(tmp_path, write_image):
    write_image(tmp_path / "a", PIXELS, PatientID="SECRET-7")
    index = index_folder(tmp_path, DataSettings())
    assert "secret" not in repr(index).lower()


def _enhanced(pixels: np.ndarray, make_image) -> Dataset:
    """An Enhanced CT object: geometry and rescale in functional groups, frames in any order."""
    ds = make_image(pixels, ImageOrientationPatient=None, ImagePositionPatient=None)
    del ds.PixelSpacing, ds.RescaleSlope, ds.RescaleIntercept
    orientation, measures = Dataset(), Dataset()
    orientation.ImageOrientationPatient = [1, 0, 0, 0, 1, 0]
    measures.PixelSpacing, measures.SliceThickness = [2, 1], 3
    shared = Dataset()
    shared.PlaneOrientationSequence = [orientation]
    shared.PixelMeasuresSequence = [measures]
    ds.SharedFunctionalGroupsSequence = [shared]
    groups = []
    for number in range(len(pixels)):
        position, values, group = Dataset(), Dataset(), Dataset()
        position.ImagePositionPatient = [0, 0, -3.0 * number]
        values.RescaleSlope, values.RescaleIntercept = 1, -100 * number
        group.PlanePositionSequence = [position]
        group.PixelValueTransformationSequence = [values]
        groups.append(group)
    ds.PerFrameFunctionalGroupsSequence = groups
    return ds


def test_enhanced_multi_frame_objects_are_volumes(tmp_path, make_image, save_dicom):
    from fedscan.imaging.examples.series import series_examples
    from fedscan.model.intensity import hounsfield_to_model

    pixels = np.random.default_rng(0).integers(0, 500, (4, 16, 8)).astype(np.int16)
    save_dicom(_enhanced(pixels, make_image), tmp_path / "enhanced")
    settings = DataSettings(image_size=32)
    (series,) = index_folder(tmp_path, settings).patients[0].studies[0].series
    (stack,) = series.stacks
    assert [item.frame for item in stack.slices] == [3, 2, 1, 0], "ordered from the feet"
    assert stack.spacing == (2, 1)
    examples = series_examples(tmp_path, series, DataSettings(image_size=16)).examples
    assert {example.description.plane for example in examples} == {"axial"}
    # 32 mm by 8 mm: twice as high a pixel as wide, so 16 by 4 of the picture's 16 by 16.
    for example, frame in zip(examples, (3, 2, 1, 0), strict=True):
        hu = pixels[frame].reshape(16, 4, 2).mean(2) - 100 * frame
        np.testing.assert_allclose(example.image[:, 6:10], hounsfield_to_model(hu), atol=1e-5)
        assert (example.image[:, :6] == -1).all()


def test_one_uid_under_several_patients_loses_nobody(tmp_path, write_volume):
    volume = np.random.default_rng(0).integers(0, 900, (4, 16, 16)).astype(np.int16)
    uids = [f"1.2.3.{number}" for number in range(4)]

    def write(folder: Path, patient: str) -> None:
        paths = write_volume(
            folder / patient,
            volume,
            PatientID=patient,
            StudyInstanceUID=f"1.{patient[1]}",
            SeriesInstanceUID=f"1.{patient[1]}.1",
        )
        for path, uid in zip(paths, uids, strict=True):
            ds = dcmread(path)
            ds.SOPInstanceUID = ds.file_meta.MediaStorageSOPInstanceUID = uid
            ds.save_as(path)

    for patient in ("p0", "p1", "p2"):
        write(tmp_path / "all", patient)
        write(tmp_path / patient, patient)
    shutil.copy(tmp_path / "all" / "p1" / "000", tmp_path / "all" / "copy")
    index = index_folder(tmp_path / "all", DataSettings())
    assert index.set_aside == {Reason.DUPLICATE: 1}
    for patient in index.patients:
        # Who else is there makes no difference to what is read of a patient.
        (alone,) = index_folder(tmp_path / patient.patient_id, DataSettings()).patients
        found = [[s.sop_uid for k in e.stacks for s in k.slices] for e in patient.studies[0].series]
        assert found == [
            [s.sop_uid for k in e.stacks for s in k.slices] for e in alone.studies[0].series
        ]
        assert found == [uids]
    assert index.shared_studies == 0


def test_one_study_under_two_identifiers_is_warned_of(tmp_path, write_image):
    for number, patient in enumerate(("H0099123", "TRAUMA-4711", "other")):
        study = "1.2.3" if patient != "other" else "1.2.4"
        write_image(tmp_path / str(number), PIXELS, PatientID=patient, StudyInstanceUID=study)
    index = index_folder(tmp_path, DataSettings())
    assert len(index.patients) == 3
    assert index.shared_studies == 1
    assert shared_sentence(summarise(index).shared_studies).startswith(
        "Warning: under several patient identifiers there is 1 study."
    )


def test_an_identifier_is_the_same_however_its_letters_are_spelt(tmp_path, write_image):
    for number, patient in enumerate(("M\u00dcLLER7", "mu\u0308ller7 ")):
        fields = {"PatientID": patient, "SpecificCharacterSet": "ISO_IR 192"}
        write_image(tmp_path / str(number), PIXELS, **fields)
    assert len(index_folder(tmp_path, DataSettings()).patients) == 1
