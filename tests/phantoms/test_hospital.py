"""Phantom hospitals as a site finds them on its disk."""

from __future__ import annotations

import json
from functools import cache
from importlib.resources import files
from pathlib import Path

import highdicom
import numpy as np
import pytest
from fedscan.errors import DataError
from fedscan.model.conditions import LABEL
from fedscan.phantoms.hospital import write_hospitals
from fedscan.phantoms.profile import hospital_profile
from fedscan.phantoms.settings import PhantomSettings
from pydantic import TypeAdapter, ValidationError
from pydicom import Dataset, dcmread
from scipy import ndimage

SETTINGS = PhantomSettings(patients=(3, 2, 2), paired_share=1.0, slices=7, matrix=64, seed=5)


@pytest.fixture(scope="module")
def hospitals(tmp_path_factory):
    out = tmp_path_factory.mktemp("hospitals")
    steps = []
    summaries = write_hospitals(out, SETTINGS, progress=lambda *step: steps.append(step))
    return out, summaries, steps


def series(folder: Path) -> list[Dataset]:
    return [dcmread(path) for path in sorted(folder.glob("*.dcm"))]


def values(images: list[Dataset]) -> np.ndarray:
    stack = np.stack([image.pixel_array for image in images]).astype(float)
    return stack * float(images[0].get("RescaleSlope", 1)) + float(
        images[0].get("RescaleIntercept", 0)
    )


def patients(out: Path) -> list[Path]:
    return sorted(path for path in out.glob("*/*") if path.is_dir())


def test_layout_and_summary(hospitals):
    _, summaries, steps = hospitals
    assert [summary.name for summary in summaries] == ["hospital-a", "hospital-b", "hospital-c"]
    assert [summary.patients for summary in summaries] == [3, 2, 2]
    assert len(steps) == 7
    assert steps[2] == ("hospital-a", 3, 3)
    for summary in summaries:
        found = list(summary.folder.glob("*/*/*.dcm"))
        assert len(found) == summary.images == 7 * 3 * summary.patients
        assert len(list(summary.folder.glob("*/segmentation.dcm"))) == summary.segmentations
        assert summary.series == dict.fromkeys(("CT", "T1", "T2"), summary.patients)


def test_the_same_seed_writes_the_same_bytes(hospitals, tmp_path):
    out, _, _ = hospitals
    # Fewer patients: a patient's bytes depend neither on the others nor on their number.
    small = PhantomSettings(patients=(1, 1), paired_share=1.0, slices=7, matrix=64, seed=5)
    write_hospitals(tmp_path, small)
    written = sorted(path for path in tmp_path.rglob("*.dcm"))
    assert len(written) == 2 * 22
    for path in written:
        assert path.read_bytes() == (out / path.relative_to(tmp_path)).read_bytes()


def test_another_seed_writes_another_patient(hospitals, tmp_path):
    out, _, _ = hospitals
    other = PhantomSettings(patients=(1,), paired_share=1.0, slices=7, matrix=64, seed=6)
    write_hospitals(tmp_path, other)
    one, two = (next(root.glob("hospital-a/*-00001/T1/4.dcm")) for root in (out, tmp_path))
    assert dcmread(one).SOPInstanceUID != dcmread(two).SOPInstanceUID
    assert dcmread(one).PixelData != dcmread(two).PixelData


def test_refuses_to_mix_with_what_is_there(hospitals):
    out, _, _ = hospitals
    with pytest.raises(DataError, match="not empty"):
        write_hospitals(out, SETTINGS)


def test_slices_are_axial_and_evenly_spaced(hospitals):
    out, _, _ = hospitals
    for folder in out.glob("*/*/T1"):
        images = series(folder)
        positions = np.array([image.ImagePositionPatient for image in images], float)
        steps = np.diff(positions, axis=0)
        assert steps[:, 2] == pytest.approx(float(images[0].SpacingBetweenSlices), abs=1e-6)
        assert not steps[:, :2].any()
        assert [float(v) for v in images[0].ImageOrientationPatient] == [1, 0, 0, 0, 1, 0]
        assert [int(image.InstanceNumber) for image in images] == list(range(1, 8))
        assert float(images[0].PixelSpacing[0]) * 64 == pytest.approx(
            hospital_profile(("abc").index(folder.parts[-3][-1]), 5).field_of_view, abs=0.01
        )


def test_the_face_is_where_row_zero_is(hospitals):
    out, _, _ = hospitals
    for folder in out.glob("*/*/T2"):
        lowest = values(series(folder))[:2].max(0)
        # Vitreous is the brightest thing in front of the brain: two spots in the upper half.
        bright = lowest[:20] > 0.6 * lowest.max()
        columns = np.nonzero(bright.any(0))[0]
        assert columns.min() < 32 <= columns.max()


def test_ct_is_in_hounsfield_units(hospitals):
    out, _, _ = hospitals
    for folder in out.glob("*/*/CT"):
        images = series(folder)
        hu = values(images)
        assert images[0].RescaleType == "HU"
        assert np.median(hu[:, 0]) == pytest.approx(-1000.0, abs=8.0)
        assert 20.0 < np.median(hu[3, 26:44, 24:40]) < 48.0
        assert hu.max() > 500.0


def test_contrasts_of_a_patient_are_aligned(hospitals):
    out, _, _ = hospitals
    for patient in patients(out):
        t1, t2, ct = (series(patient / name)[3] for name in ("T1", "T2", "CT"))
        assert t1.FrameOfReferenceUID == t2.FrameOfReferenceUID == ct.FrameOfReferenceUID
        assert t1.ImagePositionPatient == ct.ImagePositionPatient
        t1_head, t2_head, ct_head = (
            ndimage.binary_fill_holes(image.pixel_array > level)
            for image, level in ((t1, 150), (t2, 150), (ct, 600))
        )
        assert (t1_head & ct_head).sum() / (t1_head | ct_head).sum() > 0.85
        assert (t2_head & ct_head).sum() / (t2_head | ct_head).sum() > 0.85


def test_timing_tells_t1_from_t2(hospitals):
    out, _, _ = hospitals
    for patient in patients(out):
        t1, t2 = (series(patient / name)[0] for name in ("T1", "T2"))
        assert t1.EchoTime <= 15
        assert t2.EchoTime >= 80
        assert t2.RepetitionTime >= 3000
        assert t1.RepetitionTime <= 1000 or t1.InversionTime >= 600


def test_headers_name_nobody_and_code_what_is_seen(hospitals):
    out, _, _ = hospitals
    identifiers = set()
    for patient in patients(out):
        image = series(patient / "CT")[0]
        identifiers.add(image.PatientID)
        assert image.PatientID == patient.name
        assert str(image.PatientName).startswith("Phantom^")
        assert image.PatientBirthDate == ""
        assert 18 <= int(image.PatientAge[:3]) <= 94
        assert image.PatientSex in ("F", "M")
        assert image.BurnedInAnnotation == "NO"
        assert image.SyntheticData == "YES"
        assert image.AnatomicRegionSequence[0].CodeValue == "69536005"
        assert image.AdmittingDiagnosesCodeSequence[0].CodeValue in ("52988006", "281900007")
    assert len(identifiers) == 7


def test_segmentations_lie_on_their_images(hospitals):
    out, _, _ = hospitals
    for patient in patients(out):
        images = series(patient / "CT")
        hu = values(images)
        segmentation = highdicom.seg.segread(patient / "segmentation.dcm")
        assert {item.SegmentLabel for item in segmentation.SegmentSequence} == {
            "body", "bone", "brain", "fluid", "lesion",
        }  # fmt: skip
        found = segmentation.get_pixels_by_source_instance(
            [image.SOPInstanceUID for image in images],
            combine_segments=False,
            assert_missing_frames_are_empty=True,
        )
        numbers = {item.SegmentLabel: item.SegmentNumber for item in segmentation.SegmentSequence}
        mask = {name: found[..., number - 1].astype(bool) for name, number in numbers.items()}
        assert np.median(hu[mask["bone"]]) > 250.0
        assert np.median(hu[mask["brain"]]) == pytest.approx(33.0, abs=9.0)
        assert hu[mask["bone"]].mean() > hu[mask["body"]].mean() + 200.0
        lesion = images[0].AdmittingDiagnosesCodeSequence[0].CodeValue == "52988006"
        assert mask["lesion"].any() == lesion
        volume = segmentation.get_volume(combine_segments=True)
        assert tuple(volume.spacing[1:]) == pytest.approx(images[0].PixelSpacing)
        assert set(np.unique(volume.array)) <= {0, *numbers.values()}
        referenced = {item.SeriesInstanceUID for item in segmentation.ReferencedSeriesSequence}
        assert referenced == {
            series(patient / name)[0].SeriesInstanceUID for name in ("T1", "T2", "CT")
        }
    assert set(numbers) <= set(LABEL)


def test_a_share_of_patients_without_masks(tmp_path):
    settings = PhantomSettings(
        patients=(8,), contrasts=("T2",), slices=1, matrix=32, mask_share=0.5, paired_share=0.0
    )
    (summary,) = write_hospitals(tmp_path, settings)
    assert 0 < summary.segmentations < 8
    assert summary.series == {"T2": 8}
    assert len(list(tmp_path.rglob("segmentation.dcm"))) == summary.segmentations


def test_coverage_places_the_slices(tmp_path):
    settings = PhantomSettings(
        patients=(2,), contrasts=("CT",), slices=3, matrix=32, coverage=(0.0, 40.0)
    )
    write_hospitals(tmp_path, settings)
    for folder in tmp_path.glob("*/*/CT"):
        heights = [float(image.ImagePositionPatient[2]) for image in series(folder)]
        assert heights == pytest.approx([0.0, 20.0, 40.0], abs=12.0)


def test_unpaired_patients_have_one_contrast(tmp_path):
    settings = PhantomSettings(patients=(4,), slices=2, matrix=32, paired_share=0.0)
    (summary,) = write_hospitals(tmp_path, settings)
    assert sum(summary.series.values()) == 4


def test_sites_differ(hospitals):
    out, _, _ = hospitals
    noise, makers, fields = [], set(), set()
    for site in sorted(out.iterdir()):
        images = [image for folder in site.glob("*/T1") for image in series(folder)]
        stack = np.stack([image.pixel_array for image in images]).astype(float)
        noise.append(stack[:, :4, :12].std() / np.percentile(stack, 99))
        makers.add(images[0].Manufacturer)
        fields.add(float(images[0].MagneticFieldStrength))
    assert len(makers) == len(fields) == 3
    assert max(noise) > 1.7 * min(noise)


def test_more_hospitals_than_designed_are_drawn_from_the_seed():
    names = [hospital_profile(index, 3) for index in range(8)]
    assert len({profile.name for profile in names}) == len({p.prefix for p in names}) == 8
    assert hospital_profile(7, 3) == names[7]
    assert hospital_profile(7, 4) != names[7]


@pytest.mark.parametrize(
    "wrong",
    [
        {"patients": ()},
        {"patients": (0,)},
        {"matrix": 16},
        {"colour": 1},
        {"slices": 0},
        {"coverage": (40.0, 20.0)},
    ],
)
def test_settings_refuse_what_cannot_be_written(wrong):
    with pytest.raises(ValidationError):
        TypeAdapter(PhantomSettings).validate_python(wrong)


@cache
def _required(iod: str) -> list[tuple[list[str], str, str]]:
    """Attributes of an IOD's mandatory modules: path, keyword and type (PS3.3)."""
    standard = files("highdicom") / "_standard"
    modules = json.loads((standard / "iod_module_map.json").read_text())[iod]
    attributes = json.loads((standard / "module_attribute_map.json").read_text())
    return [
        (attribute["path"], attribute["keyword"], attribute["type"])
        for module in modules
        if module["usage"] == "M"
        for attribute in attributes[module["key"]]
        # Each functional group is a macro with a condition of its own.
        if attribute["type"] in ("1", "2") and "FunctionalGroups" not in "".join(attribute["path"])
    ]


def _missing(ds: Dataset, path: list[str], keyword: str, kind: str) -> list[str]:
    if path:
        items = ds.get(path[0]) or []
        return [m for item in items for m in _missing(item, path[1:], keyword, kind)]
    present = keyword in ds and (kind == "2" or not ds[keyword].is_empty)
    return [] if present else [keyword]


@pytest.mark.parametrize(
    ("iod", "pattern"),
    [
        ("mr-image", "T1/1.dcm"),
        ("mr-image", "T2/7.dcm"),
        ("ct-image", "CT/3.dcm"),
        ("segmentation", "segmentation.dcm"),
    ],
)
def test_every_attribute_that_the_standard_requires_is_there(hospitals, iod, pattern):
    out, _, _ = hospitals
    for path in out.glob(f"*/*-00001/{pattern}"):
        ds = dcmread(path)
        missing = [m for where in _required(iod) for m in _missing(ds, *where)]
        assert not missing
        assert ds.file_meta.MediaStorageSOPInstanceUID == ds.SOPInstanceUID
        assert ds.file_meta.TransferSyntaxUID == "1.2.840.10008.1.2.1"


def test_files_survive_a_round_trip_unchanged(hospitals, tmp_path):
    out, _, _ = hospitals
    for name in ("T1/2.dcm", "CT/2.dcm", "segmentation.dcm"):
        source = next(out.glob(f"hospital-b/*-00002/{name}"))
        ds = dcmread(source)
        # Decoding each element and encoding it anew must come to the same bytes.
        for element in ds.iterall():
            assert element.VR != "UN"
        ds.save_as(tmp_path / "again.dcm", enforce_file_format=True)
        assert dcmread(tmp_path / "again.dcm") == ds
        assert len((tmp_path / "again.dcm").read_bytes()) == len(source.read_bytes())


def test_there_can_be_more_hospitals_than_letters() -> None:
    profiles = [hospital_profile(index, seed=3) for index in range(120)]
    assert profiles[26].name == "hospital-aa"
    assert len({profile.name for profile in profiles}) == 120
    assert len({profile.prefix for profile in profiles}) == 120
    assert len(PhantomSettings(patients=(1,) * 100).patients) == 100
