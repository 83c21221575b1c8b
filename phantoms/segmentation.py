"""Write a patient's label map as a DICOM Segmentation object (PS3.3 A.51, binary segments).

The series of a phantom share their slices, so one object segments them all and refers to
the images of each. It is encoded here and not by highdicom because that takes longer for
one object than everything else about a patient; the tests read it through highdicom.
"""

from __future__ import annotations

from collections.abc import Sequence
from functools import lru_cache
from pathlib import Path

import numpy as np
from highdicom.seg import SegmentDescription
from numpy.typing import NDArray
from pydicom.dataset import Dataset
from pydicom.sr.coding import Code
from pydicom.uid import SegmentationStorage

from ..imaging.writing.elements import code_item, decimal
from ..model.conditions import LABEL
from .anatomical.sampling import AxialGrid
from .dicom_writer import PatientRecord, WrittenSeries, position
from .encoding import Elements, encode, encode_bytes, encode_sequence, join, write_file

_TISSUE = Code("85756007", "SCT", "Tissue")
#: Category and type of each segment (PS3.16 CID 7150 and following) by its class.
_SEGMENTS: dict[str, tuple[Code, Code]] = {
    "body": (_TISSUE, Code("87784001", "SCT", "Soft tissue")),
    "bone": (_TISSUE, Code("3138006", "SCT", "Bone")),
    "brain": (
        Code("123037004", "SCT", "Anatomical Structure"),
        Code("12738006", "SCT", "Brain"),
    ),
    "fluid": (
        Code("91720002", "SCT", "Body substance"),
        Code("65216001", "SCT", "Cerebrospinal fluid"),
    ),
    "lesion": (
        Code("49755003", "SCT", "Morphologically Abnormal Structure"),
        Code("52988006", "SCT", "Lesion"),
    ),
}
_PER_FRAME, _PIXEL_DATA = 0x52009230, 0x7FE00010


def write_segmentation(
    path: Path,
    labels: NDArray[np.uint8],
    *,
    grid: AxialGrid,
    patient: PatientRecord,
    series: Sequence[WrittenSeries],
) -> None:
    """Write a label map that lies on the slices of a patient's series.

    Every class is declared, also one without pixels: it was looked for and not found.

    Args:
        path: The file to write.
        labels: ``[S, H, W]`` with the values of ``model.conditions.LABEL``.
        grid: The slices.
        patient: The patient.
        series: The series it segments.
    """
    frames = [
        (segment, index)
        for segment, name in enumerate(_SEGMENTS, start=1)
        for index in range(len(labels))
        if (labels[index] == LABEL[name]).any()
    ]
    values = [LABEL[name] for name in _SEGMENTS]
    pixels = np.stack([labels[index] == values[segment - 1] for segment, index in frames])
    ds = _header(grid, patient, series)
    ds.NumberOfFrames = len(frames)
    by_slice = [_slice_groups(grid, series, index) for index in range(len(labels))]
    per_frame = encode_sequence(
        _PER_FRAME,
        [join(by_slice[index], _frame_groups(segment, index + 1)) for segment, index in frames],
    )
    bits = np.packbits(pixels.ravel(), bitorder="little").tobytes()
    write_file(
        path,
        SegmentationStorage,
        patient.uid("segmentation", "instance"),
        encode(ds),
        _segment_sequence(),
        per_frame,
        encode_bytes(_PIXEL_DATA, "OB", bits),
    )


def _header(grid: AxialGrid, patient: PatientRecord, series: Sequence[WrittenSeries]) -> Dataset:
    """All but the segments, the frames and the pixels."""
    source = series[0].header
    ds = Dataset()
    for keyword in (
        "SpecificCharacterSet", "SyntheticData", "StudyDate", "SeriesDate", "ContentDate",
        "StudyTime", "SeriesTime", "ContentTime", "AccessionNumber", "ReferringPhysicianName",
        "StudyDescription", "PatientName", "PatientID", "PatientBirthDate", "PatientSex",
        "PatientAge", "BodyPartExamined", "StudyInstanceUID", "StudyID", "FrameOfReferenceUID",
        "PositionReferenceIndicator", "SamplesPerPixel", "PhotometricInterpretation", "Rows",
        "Columns", "PixelRepresentation", "BurnedInAnnotation", "LossyImageCompression",
    ):  # fmt: skip
        ds[keyword] = source[keyword]
    ds.ImageType = ["DERIVED", "PRIMARY"]
    ds.SOPClassUID = SegmentationStorage
    ds.SeriesInstanceUID = patient.uid("segmentation", "series")
    ds.SeriesNumber = 100
    ds.SeriesDescription = "Tissue classes"
    ds.InstanceNumber = 1
    ds.Modality = "SEG"
    ds.Manufacturer = "fedscan"
    ds.ManufacturerModelName = "phantoms"
    ds.DeviceSerialNumber = "1"
    ds.SoftwareVersions = "1"
    ds.ContentLabel = "TISSUE_CLASSES"
    ds.ContentDescription = "Tissue classes of a phantom"
    ds.ContentCreatorName = ""
    ds.BitsAllocated = ds.BitsStored = 1
    ds.HighBit = 0
    ds.SegmentationType = "BINARY"
    ds.SegmentsOverlap = "NO"
    ds.ReferencedSeriesSequence = [_reference(one) for one in series]
    organisation = Dataset()
    organisation.DimensionOrganizationUID = patient.uid("segmentation", "dimensions")
    ds.DimensionOrganizationSequence = [organisation]
    ds.DimensionIndexSequence = [
        _dimension(organisation.DimensionOrganizationUID, *tags)
        for tags in ((0x0062000B, 0x0062000A), (0x00200032, 0x00209113))
    ]
    ds.SharedFunctionalGroupsSequence = [_shared_groups(grid)]
    return ds


def _reference(series: WrittenSeries) -> Dataset:
    item = Dataset()
    item.SeriesInstanceUID = series.header.SeriesInstanceUID
    item.ReferencedInstanceSequence = [
        _instance(series, index) for index in range(len(series.instances))
    ]
    return item


def _instance(series: WrittenSeries, index: int) -> Dataset:
    item = Dataset()
    item.ReferencedSOPClassUID = series.header.SOPClassUID
    item.ReferencedSOPInstanceUID = series.instances[index]
    return item


def _dimension(organisation: str, pointer: int, group: int) -> Dataset:
    item = Dataset()
    item.DimensionOrganizationUID = organisation
    item.DimensionIndexPointer = pointer
    item.FunctionalGroupPointer = group
    return item


def _shared_groups(grid: AxialGrid) -> Dataset:
    measures, orientation, item = Dataset(), Dataset(), Dataset()
    measures.SliceThickness = decimal(grid.thickness)
    measures.SpacingBetweenSlices = decimal(grid.spacing)
    measures.PixelSpacing = [decimal(grid.pixel)] * 2
    orientation.ImageOrientationPatient = [1, 0, 0, 0, 1, 0]
    item.PixelMeasuresSequence = [measures]
    item.PlaneOrientationSequence = [orientation]
    return item


def _slice_groups(grid: AxialGrid, series: Sequence[WrittenSeries], index: int) -> Elements:
    """The functional groups that the frames of one slice share: its place and its images."""
    derivation, place, item = Dataset(), Dataset(), Dataset()
    derivation.DerivationCodeSequence = [code_item("113076", "DCM", "Segmentation")]
    derivation.SourceImageSequence = [_instance(one, index) for one in series]
    for source in derivation.SourceImageSequence:
        source.SpatialLocationsPreserved = "YES"
        source.PurposeOfReferenceCodeSequence = [
            code_item("121322", "DCM", "Source image for image processing operation")
        ]
    place.ImagePositionPatient = position(grid, index)
    item.DerivationImageSequence = [derivation]
    item.PlanePositionSequence = [place]
    return encode(item)


@lru_cache(maxsize=4096)
def _frame_groups(segment: int, place: int) -> Elements:
    """The functional groups of one frame: its segment, and its place along the dimensions."""
    content, identity, item = Dataset(), Dataset(), Dataset()
    content.DimensionIndexValues = [segment, place]
    identity.ReferencedSegmentNumber = segment
    item.FrameContentSequence = [content]
    item.SegmentIdentificationSequence = [identity]
    return encode(item)


@lru_cache(maxsize=1)
def _segment_sequence() -> Elements:
    ds = Dataset()
    ds.SegmentSequence = [
        SegmentDescription(
            segment_number=number,
            segment_label=name,
            segmented_property_category=category,
            segmented_property_type=kind,
            algorithm_type="MANUAL",
        )
        for number, (name, (category, kind)) in enumerate(_SEGMENTS.items(), start=1)
    ]
    return encode(ds)
