"""Files whose headers were damaged at random, and a look at whether anything crashes or is mixed.

Run it for many: ``PYTHONPATH=… python tests/helpers/fuzzed_headers.py 20000``.
"""

from __future__ import annotations

import contextlib
import random
import resource
import sys
import tempfile
import time
from collections import Counter
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from dicom_files import dicom_image
from fedscan.imaging.dicom.fields import items
from fedscan.imaging.dicom.frames.frame import FRAMES_TOLD_BY
from fedscan.imaging.dicom.index import PatientScans, SiteIndex, index_folder
from fedscan.imaging.dicom.quiet import quiet_pydicom
from fedscan.imaging.dicom.scanner import TOLD_BY
from fedscan.imaging.dicom.set_aside import Reason
from fedscan.imaging.dicom.suitability import REFUSED_BY
from fedscan.imaging.examples.series import series_examples
from fedscan.imaging.settings import DataSettings
from fedscan.model.example import Example
from fedscan.model.intensity import hounsfield_to_model
from pydicom import Dataset, dcmread
from pydicom.datadict import dictionary_VR, keyword_for_tag, tag_for_keyword
from pydicom.dataelem import RawDataElement
from pydicom.dataset import FileMetaDataset
from pydicom.multival import MultiValue
from pydicom.sequence import Sequence
from pydicom.tag import Tag
from pydicom.uid import (
    ExplicitVRLittleEndian,
    ImplicitVRLittleEndian,
    JPEGLSLossless,
    RLELossless,
    SegmentationStorage,
    generate_uid,
)

SETTINGS = DataSettings(image_size=16, burned_in="refuse_marked", colour="luminance")
_SIDE = 16
_MODALITIES = ("CT", "CT", "CT", "CT", "MR", "MR", "DX", "MG", "US", "SEG")
_IDENTITY = (
    "PatientID", "StudyInstanceUID", "SeriesInstanceUID", "SOPInstanceUID", "FrameOfReferenceUID",
)  # fmt: skip
#: Fields by which a file may show other values than it holds; the rest of a header must not.
_ABOUT_PIXELS = frozenset((
    "BitsAllocated", "BitsStored", "HighBit", "PixelRepresentation", "RescaleSlope",
    "RescaleIntercept", "ModalityLUTSequence", "PixelPaddingValue", "PhotometricInterpretation",
    "SamplesPerPixel", "PixelPaddingRangeLimit", "Modality", "Rows", "Columns", "PixelSpacing",
    "PixelAspectRatio", "ImagerPixelSpacing", "SharedFunctionalGroupsSequence",
    "PerFrameFunctionalGroupsSequence", "NumberOfFrames",
))  # fmt: skip
_KEYWORDS = tuple(sorted({
    *FRAMES_TOLD_BY, *REFUSED_BY, *TOLD_BY, *_IDENTITY, *_ABOUT_PIXELS, "InstanceNumber",
    "ReferencedSeriesSequence", "SegmentSequence", "SegmentationType",
}))  # fmt: skip
#: What may stand in a field, besides values that belong there.
_ODD = (
    b"", b" ", b"\0", b"0", b"-1", b"1", b"2", b"NaN", b"inf", b"1e308", b"1e-300", b"1,5", b"abc",
    b"99999999999999999999", b"1\\2", b"1\\0\\0\\0\\1\\0", b"0\\0\\0", b"0\\0\\1e9", b"NaN\\0\\0",
    b"CT", b"MR", b"SEG", b"DX", b"MG", b"US", b"L\\F", b"A\\R", b"DERIVED\\PRIMARY\\T1 MAP", b"HU",
    b"ORIGINAL\\PRIMARY\\LOCALIZER", b"MONOCHROME1", b"RGB", b"PALETTE COLOR", b"YES", b"\xff\xfe",
    b"M\xfcller", b"1.2.3.4", b"\x00\x10", b"\x01\x00", b"\x10\x00", b"\xff\xff", b"\\\\\\\\",
    b"\x00\x00\x80\x7f\x00\x00\x80\x7f", b"A" * 70, b"2.5e1", b"+3", b"0x10", b"1e400", b"-0",
)  # fmt: skip


@dataclass(frozen=True)
class Written:
    """What one file really holds.

    Attributes:
        hounsfield: The one value that it shows in air.
        plain: Whether no field that is about pixels, and no byte, was changed.
    """

    hounsfield: int
    plain: bool


def write_fuzzed(folder: Path, count: int, seed: int) -> dict[str, Written]:
    """Write ``count`` files, most with a damaged header; return them by relative path."""
    with quiet_pydicom():
        return _write_fuzzed(folder, count, random.Random(seed))


def _write_fuzzed(folder: Path, count: int, draw: random.Random) -> dict[str, Written]:
    written: dict[str, Written] = {}
    number = 0
    while len(written) < count:
        number += 1
        patient = draw.randrange(max(2, count // 12))
        ds = _image(draw, patient, number)
        changed = {_change(ds, draw) for _ in range(draw.choice((0, 1, 1, 2, 4)))}
        path = folder / f"{draw.randrange(5)}" / f"{number:05}"
        path.parent.mkdir(parents=True, exist_ok=True)
        try:
            ds.save_as(path, enforce_file_format=True)
        except Exception:  # pydicom does not write every nonsense
            path.unlink(missing_ok=True)
            continue
        damaged = draw.random() < 0.2
        if damaged:
            _damage(path, draw)
        plain = not damaged and not changed & _ABOUT_PIXELS
        written[str(path.relative_to(folder))] = Written(_hounsfield_of(patient), plain)
    return written


def _hounsfield_of(patient: int) -> int:
    return 3 * (patient % 400) - 500


def _image(draw: random.Random, patient: int, number: int) -> Dataset:
    modality = draw.choice(_MODALITIES)
    rows, columns = np.indices((_SIDE, _SIDE))
    disc = np.hypot(rows - 7.5, columns - 7.5) < 6
    frames = 3 if modality == "SEG" else draw.choice((1, 1, 1, 1, 3))
    pixels = np.where(disc, _hounsfield_of(patient), -1000).astype(np.int16)
    if modality not in ("CT", "MR"):
        pixels = disc.astype(np.uint8)
    place = 3 * draw.randrange(12)
    ds = dicom_image(
        np.stack([pixels] * frames) if frames > 1 else pixels,
        Modality=modality,
        PatientID=f"patient {patient}",
        StudyInstanceUID=f"1.2.{patient}",
        SeriesInstanceUID=f"1.2.{patient}.{_MODALITIES.index(modality)}",
        FrameOfReferenceUID=f"1.2.{patient}.99",
        InstanceNumber=number,
    )
    if modality in ("CT", "MR"):
        ds.ImagePositionPatient, ds.SliceThickness = [0, 0, place], 3
    if modality == "SEG":
        _make_segmentation(ds, f"1.2.{patient}.0")
    if frames > 1 and modality in ("CT", "MR", "SEG"):
        _enhance(ds, frames, place)
    ds.file_meta = FileMetaDataset()
    syntaxes = (ExplicitVRLittleEndian, ExplicitVRLittleEndian, ImplicitVRLittleEndian)
    ds.file_meta.TransferSyntaxUID = draw.choice(syntaxes)
    if modality != "SEG" and draw.random() < 0.1:
        ds.file_meta.TransferSyntaxUID = ExplicitVRLittleEndian
        ds.compress(draw.choice((RLELossless, JPEGLSLossless)))
    ds.file_meta.MediaStorageSOPClassUID = ds.SOPClassUID
    ds.file_meta.MediaStorageSOPInstanceUID = ds.SOPInstanceUID
    return ds


def _make_segmentation(ds: Dataset, series: str) -> None:
    ds.SOPClassUID, ds.SOPInstanceUID = SegmentationStorage, generate_uid()
    ds.SegmentationType, ds.MaximumFractionalValue = "FRACTIONAL", 1
    segment, reference = Dataset(), Dataset()
    segment.SegmentNumber, segment.SegmentLabel = 1, "organ"
    reference.SeriesInstanceUID = series
    ds.SegmentSequence, ds.ReferencedSeriesSequence = Sequence([segment]), Sequence([reference])


def _enhance(ds: Dataset, frames: int, place: int) -> None:
    """Move place and orientation into functional groups."""
    orientation, measures, shared = Dataset(), Dataset(), Dataset()
    orientation.ImageOrientationPatient = [1, 0, 0, 0, 1, 0]
    measures.PixelSpacing, measures.SliceThickness = [1, 1], 3
    shared.PlaneOrientationSequence = Sequence([orientation])
    shared.PixelMeasuresSequence = Sequence([measures])
    groups = []
    for frame in range(frames):
        position, segment, group = Dataset(), Dataset(), Dataset()
        position.ImagePositionPatient = [0, 0, place + 3 * frame]
        segment.ReferencedSegmentNumber = 1
        group.PlanePositionSequence = Sequence([position])
        group.SegmentIdentificationSequence = Sequence([segment])
        groups.append(group)
    ds.SharedFunctionalGroupsSequence = Sequence([shared])
    ds.PerFrameFunctionalGroupsSequence = Sequence(groups)


def _change(ds: Dataset, draw: random.Random) -> str:
    """Change one field, sometimes in a sequence, and return the keyword of the outermost."""
    keyword = draw.choice(_KEYWORDS if draw.random() < 0.8 else _IDENTITY)
    holder, outermost = ds, keyword
    for name in ("SharedFunctionalGroupsSequence", "PerFrameFunctionalGroupsSequence"):
        groups = list(items(ds, name))
        if groups and draw.random() < 0.15:
            group = draw.choice(groups)
            names = [keyword_for_tag(tag) for tag in group.keys()]  # noqa: SIM118
            macros = [item for macro in names for item in items(group, macro)]
            if macros:
                holder, outermost = draw.choice(macros), name
    tag, vr = Tag(tag_for_keyword(keyword)), dictionary_VR(keyword)
    kind = draw.random()
    if kind < 0.2:
        if tag in holder:
            del holder[tag]
    elif kind < 0.35 and keyword in _IDENTITY:
        other = draw.randrange(20)
        value = f"patient {other}" if keyword == "PatientID" else f"1.2.{other}"
        holder.add_new(tag, vr, value)
    elif vr == "SQ" and kind < 0.7:
        holder.add_new(tag, vr, Sequence([Dataset()] * draw.randrange(3)))
    else:
        content = draw.choice(_ODD)
        content += b" " * (len(content) % 2)
        vr = draw.choice((vr[:2], "LO", "DS", "UN")) if vr != "SQ" else draw.choice(("LO", "UN"))
        holder[tag] = RawDataElement(tag, vr, len(content), content, 0, False, True)
    return outermost


def _damage(path: Path, draw: random.Random) -> None:
    content = bytearray(path.read_bytes())
    for _ in range(draw.choice((1, 3, 20))):
        content[draw.randrange(len(content))] = draw.randrange(256)
    cut = len(content) if draw.random() < 0.7 else draw.randrange(len(content))
    path.write_bytes(content[:cut])


def look(folder: Path, written: dict[str, Written]) -> tuple[SiteIndex, Counter[Reason], int]:
    """Index and read everything; fail if a patient has what is another's.

    Returns:
        The index, what was set aside on reading pixels, and the number of examples.
    """
    with quiet_pydicom():
        return _look(folder, written)


def _look(folder: Path, written: dict[str, Written]) -> tuple[SiteIndex, Counter[Reason], int]:
    index = index_folder(folder, SETTINGS)
    used = {entry.path for patient in index.patients for entry in patient.files}
    assert len(used) == sum(len(patient.files) for patient in index.patients), "a file used twice"
    decoded, examples = Counter[Reason](), 0
    for patient in index.patients:
        _check_identity(folder, patient)
        for study in patient.studies:
            for series in study.series:
                made = series_examples(folder, series, SETTINGS)
                decoded.update(made.set_aside)
                examples += len(made.examples)
                for example in made.examples:
                    assert np.isfinite(example.image).all()
                    assert abs(example.image).max() <= 1
                paths = {item.path for stack in series.stacks for item in stack.slices}
                if all(written[path].plain for path in paths):
                    _check_values(made.examples, [written[path].hounsfield for path in paths])
    return index, decoded, examples


def _check_values(examples: list[Example], hounsfield: list[int]) -> None:
    """Compare the middle of each CT with what its patient's files hold."""
    expected = hounsfield_to_model(np.array(hounsfield, np.float32))
    for example in examples:
        if example.description.modality == "CT":
            middle = example.image[len(example.image) // 2, len(example.image) // 2]
            assert abs(expected - middle).min() < 1e-4, "mixed pixels"


def _check_identity(folder: Path, patient: PatientScans) -> None:
    """Compare what the index holds of a patient with the headers, read independently."""
    files = {entry.path: _identity(folder / entry.path) for entry in patient.files}
    for patient_id, *_ in files.values():
        assert patient_id.casefold() == patient.patient_id, "another patient"
    for study in patient.studies:
        for series in study.series:
            for path in {item.path for stack in series.stacks for item in stack.slices}:
                _, study_uid, series_uid, sop_uid, _ = files[path]
                assert study_uid == study.uid, "another study"
                assert (series_uid or sop_uid) == series.uid, "another series"
            assert set(series.segmentations) <= set(files), "another patient's segmentation"


def _identity(path: Path) -> list[str]:
    """Return the fields of ``_IDENTITY``; one that cannot be decoded is empty, as for the index."""
    found = []
    ds = dcmread(path, stop_before_pixels=True, force=True)
    for keyword in _IDENTITY:
        value = ""
        with contextlib.suppress(Exception):
            value = ds.get(keyword, "")
        first = value[0] if isinstance(value, MultiValue) and value else value
        found.append("" if first is None else str(first).strip())
    return found


def main() -> None:
    """Write, index and read as many files as asked for, and print what came of it."""
    count, seed = int(sys.argv[1]), int(sys.argv[2]) if len(sys.argv) > 2 else 1
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        written = write_fuzzed(folder, count, seed)
        started = time.monotonic()
        index, decoded, examples = look(folder, written)
        seconds = time.monotonic() - started
    mib = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
    print(f"{len(written)} files, seed {seed}: {seconds:.0f} s, {mib:.0f} MiB at most")
    print(f"{len(index.patients)} patients, {examples} examples; set aside:")
    for reason, number in (index.set_aside + decoded).most_common():
        print(f"  {number:6} {reason.value}")


if __name__ == "__main__":
    main()
