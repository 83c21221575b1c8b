"""Write an image stack as one classic DICOM series: MR or CT Image Storage, a file a slice."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from pydicom.dataset import Dataset
from pydicom.uid import CTImageStorage, MRImageStorage, generate_uid

from ..imaging.writing.elements import (
    CT_INTERCEPT,
    PHANTOM_SOFTWARE,
    code_item,
    decimal,
    describe_hounsfield,
    describe_pixels,
    stored_values,
)
from .anatomical.contrast import Sequence
from .anatomical.sampling import AxialGrid
from .encoding import encode, encode_bytes, encode_text, write_file

#: Tags of what differs between the slices of a series.
_INSTANCE_NUMBER, _IMAGE_POSITION, _SLICE_LOCATION = 0x00200013, 0x00200032, 0x00201041
_PIXEL_DATA = 0x7FE00010
_FINDINGS = {True: ("52988006", "Lesion"), False: ("281900007", "No abnormality detected")}


@dataclass(frozen=True)
class PatientRecord:
    """What the header says about a patient and its study.

    Attributes:
        identifier: PatientID.
        name: PatientName, made up.
        sex: ``"F"`` or ``"M"``.
        age: Years.
        study_date: YYYYMMDD.
        study_time: HHMMSS.
        lesion: Whether the coded finding is a lesion.
        uid_source: Words that the patient's UIDs are derived from.
    """

    identifier: str
    name: str
    sex: str
    age: int
    study_date: str
    study_time: str
    lesion: bool
    uid_source: tuple[str, ...]

    def uid(self, *what: object) -> str:
        """A UID that depends on the patient and the given words only."""
        return generate_uid(entropy_srcs=[*self.uid_source, *map(str, what)])


@dataclass(frozen=True)
class Equipment:
    """The scanner and protocol of one contrast.

    Attributes:
        contrast: ``"T1"``, ``"T2"`` or ``"CT"``.
        manufacturer: Its maker.
        model: Its model.
        station: Serial number and station.
        sequence: Timing of an MR contrast; ``None`` for CT.
        kernel: Convolution kernel of CT.
        tube_voltage: kV of CT.
    """

    contrast: str
    manufacturer: str
    model: str
    station: str
    sequence: Sequence | None = None
    kernel: str = ""
    tube_voltage: int = 0


@dataclass(frozen=True, eq=False)
class WrittenSeries:
    """A written series.

    Attributes:
        header: The elements that its images share.
        instances: SOPInstanceUID of each slice.
    """

    header: Dataset
    instances: tuple[str, ...]


def position(grid: AxialGrid, index: int) -> list[str]:
    """ImagePositionPatient of a slice: left, posterior, superior of its first pixel."""
    return [decimal(v) for v in (*grid.corner[::-1], grid.heights[index])]


def write_series(
    folder: Path,
    image: NDArray[np.float32],
    *,
    grid: AxialGrid,
    patient: PatientRecord,
    equipment: Equipment,
    number: int,
) -> WrittenSeries:
    """Write one series.

    Args:
        folder: Where the files go; made if missing.
        image: ``[S, H, W]``: HU for CT; for MR a magnitude with white matter near 1.
        grid: Where its slices lie.
        patient: The patient.
        equipment: Scanner and protocol.
        number: Series number within the study.

    Returns:
        What a segmentation needs to refer to the series.
    """
    folder.mkdir(parents=True, exist_ok=True)
    values, window = _store(image, equipment.contrast)
    header = _series_header(grid, patient, equipment, number)
    header.WindowCenter, header.WindowWidth = window
    common = encode(header)
    instances = []
    digits = len(str(len(grid.heights)))
    for index, height in enumerate(grid.heights):
        uid = patient.uid(equipment.contrast, "instance", index)
        own = {
            **encode_text(_INSTANCE_NUMBER, "IS", str(index + 1)),
            **encode_text(_IMAGE_POSITION, "DS", *position(grid, index)),
            **encode_text(_SLICE_LOCATION, "DS", decimal(height)),
            **encode_bytes(_PIXEL_DATA, "OW", values[index].tobytes()),
        }
        write_file(folder / f"{index + 1:0{digits}d}.dcm", header.SOPClassUID, uid, common, own)
        instances.append(uid)
    return WrittenSeries(header, tuple(instances))


def _store(image: NDArray[np.float32], contrast: str) -> tuple[NDArray[np.uint16], tuple[int, int]]:
    """Stored 12-bit values and a display window (centre, width)."""
    if contrast == "CT":
        return stored_values(image - CT_INTERCEPT), (40, 120)
    values = stored_values(image * 700.0)
    top = max(int(np.percentile(values, 99.5)), 2)
    return values, (top // 2, top)


def _series_header(
    grid: AxialGrid, patient: PatientRecord, equipment: Equipment, number: int
) -> Dataset:
    """Everything that the slices of a series share."""
    ct = equipment.contrast == "CT"
    ds = Dataset()
    ds.SpecificCharacterSet = "ISO_IR 192"
    ds.ImageType = ["ORIGINAL", "PRIMARY", "AXIAL" if ct else "M"]
    ds.SyntheticData = "YES"
    ds.SOPClassUID = CTImageStorage if ct else MRImageStorage
    for keyword in ("StudyDate", "SeriesDate", "AcquisitionDate", "ContentDate"):
        setattr(ds, keyword, patient.study_date)
    for keyword in ("StudyTime", "SeriesTime", "AcquisitionTime", "ContentTime"):
        setattr(ds, keyword, patient.study_time)
    ds.AccessionNumber = ""
    ds.Modality = "CT" if ct else "MR"
    ds.Manufacturer = equipment.manufacturer
    ds.ManufacturerModelName = equipment.model
    ds.DeviceSerialNumber = equipment.station
    ds.SoftwareVersions = PHANTOM_SOFTWARE
    ds.ReferringPhysicianName = ""
    ds.StudyDescription = "Head"
    ds.SeriesDescription = f"{equipment.contrast} axial"
    ds.AdmittingDiagnosesCodeSequence = [
        code_item(_FINDINGS[patient.lesion][0], "SCT", _FINDINGS[patient.lesion][1])
    ]
    ds.PatientName = patient.name
    ds.PatientID = patient.identifier
    ds.PatientBirthDate = ""
    ds.PatientSex = patient.sex
    ds.PatientAge = f"{patient.age:03d}Y"
    ds.BodyPartExamined = "HEAD"
    ds.AnatomicRegionSequence = [code_item("69536005", "SCT", "Head")]
    ds.PatientPosition = "HFS"
    ds.SliceThickness = decimal(grid.thickness)
    ds.SpacingBetweenSlices = decimal(grid.spacing)
    ds.StudyInstanceUID = patient.uid("study")
    ds.SeriesInstanceUID = patient.uid("series", equipment.contrast)
    ds.StudyID = "1"
    ds.SeriesNumber = number
    ds.AcquisitionNumber = 1
    ds.ImageOrientationPatient = [1, 0, 0, 0, 1, 0]
    ds.FrameOfReferenceUID = patient.uid("frame of reference")
    ds.PositionReferenceIndicator = ""
    describe_pixels(ds, grid.matrix, grid.matrix)
    ds.PixelSpacing = [decimal(grid.pixel)] * 2
    ds.BurnedInAnnotation = "NO"
    ds.LossyImageCompression = "00"
    if equipment.sequence is None:
        _describe_ct(ds, equipment)
    else:
        _describe_mr(ds, equipment.sequence)
    return ds


def _describe_ct(ds: Dataset, equipment: Equipment) -> None:
    ds.ScanOptions = "AXIAL MODE"
    ds.KVP = equipment.tube_voltage
    ds.ExposureTime = 1000
    ds.XRayTubeCurrent = 250
    ds.Exposure = 250
    ds.ConvolutionKernel = equipment.kernel
    ds.GantryDetectorTilt = 0
    describe_hounsfield(ds)


def _describe_mr(ds: Dataset, sequence: Sequence) -> None:
    has_inversion = sequence.inversion_time > 0
    ds.ScanningSequence = ["GR", "IR"] if has_inversion else "SE"
    ds.SequenceVariant = ["SP", "MP"] if has_inversion else "SK"
    ds.ScanOptions = ""
    ds.MRAcquisitionType = "3D" if has_inversion else "2D"
    ds.RepetitionTime = decimal(sequence.repetition_time)
    ds.EchoTime = decimal(sequence.echo_time)
    ds.EchoTrainLength = 15 if sequence.echo_time > 60 else 1
    if has_inversion:
        ds.InversionTime = decimal(sequence.inversion_time)
    ds.FlipAngle = 9 if has_inversion else 90
    ds.MagneticFieldStrength = decimal(sequence.field)
    ds.ImagedNucleus = "1H"
    ds.ImagingFrequency = decimal(sequence.field * 42.577)
    ds.NumberOfAverages = 1
