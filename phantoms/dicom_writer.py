"""Write an image stack as one classic DICOM series: MR or CT Image Storage, a file a slice."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from pydicom.dataset import Dataset, FileMetaDataset
from pydicom.uid import (
    CTImageStorage,
    ExplicitVRLittleEndian,
    MRImageStorage,
    generate_uid,
)

from .anatomical.contrast import Sequence
from .anatomical.sampling import SliceGrid

IMPLEMENTATION_UID = generate_uid(entropy_srcs=["fedscan", "phantoms"])
#: HU that a stored value of 0 stands for.
CT_INTERCEPT = -1024
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


def code_item(value: str, scheme: str, meaning: str) -> Dataset:
    """A coded concept (PS3.3 8.8)."""
    item = Dataset()
    item.CodeValue = value
    item.CodingSchemeDesignator = scheme
    item.CodeMeaning = meaning
    return item


def write_series(
    folder: Path,
    image: NDArray[np.float32],
    *,
    grid: SliceGrid,
    patient: PatientRecord,
    equipment: Equipment,
    number: int,
) -> list[Dataset]:
    """Write one series.

    Args:
        folder: Where the files go; made if missing.
        image: ``[S, H, W]``: HU for CT; for MR a magnitude with white matter near 1.
        grid: Where its slices lie.
        patient: The patient.
        equipment: Scanner and protocol.
        number: Series number within the study.

    Returns:
        Headers of the written files in slice order, without pixels.
    """
    folder.mkdir(parents=True, exist_ok=True)
    stored, window = _store(image, equipment.contrast)
    shared = _series_header(grid, patient, equipment, number)
    shared.WindowCenter, shared.WindowWidth = window
    headers = []
    digits = len(str(len(grid.heights)))
    for index, height in enumerate(grid.heights):
        # A copy shares the series' elements; those of the slice are only ever added to it.
        header = Dataset()
        header.update(shared)
        header.SOPInstanceUID = patient.uid(equipment.contrast, "instance", index)
        header.InstanceNumber = index + 1
        header.ImagePositionPatient = [_decimal(v) for v in (*grid.corner[::-1], height)]
        header.SliceLocation = _decimal(height)
        header.file_meta = _file_meta(header)
        header.PixelData = stored[index].tobytes()
        header.save_as(folder / f"{index + 1:0{digits}d}.dcm", enforce_file_format=True)
        del header.PixelData
        headers.append(header)
    return headers


def _file_meta(header: Dataset) -> FileMetaDataset:
    meta = FileMetaDataset()
    meta.MediaStorageSOPClassUID = header.SOPClassUID
    meta.MediaStorageSOPInstanceUID = header.SOPInstanceUID
    meta.TransferSyntaxUID = ExplicitVRLittleEndian
    meta.ImplementationClassUID = IMPLEMENTATION_UID
    meta.ImplementationVersionName = "FEDSCAN_PHANTOM"
    return meta


def _store(image: NDArray[np.float32], contrast: str) -> tuple[NDArray[np.uint16], tuple[int, int]]:
    """Stored 12-bit values and a display window (centre, width)."""
    if contrast == "CT":
        stored = np.clip(np.rint(image - CT_INTERCEPT), 0, 4095).astype("<u2")
        return stored, (40, 120)
    stored = np.clip(np.rint(image * 700.0), 0, 4095).astype("<u2")
    top = max(int(np.percentile(stored, 99.5)), 2)
    return stored, (top // 2, top)


def _decimal(value: float) -> str:
    """A decimal string (DS) of at most 16 bytes, without a negative zero."""
    return f"{round(value, 4) + 0.0:.4f}".rstrip("0").rstrip(".")


def _series_header(
    grid: SliceGrid, patient: PatientRecord, equipment: Equipment, number: int
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
    ds.SoftwareVersions = "fedscan phantoms"
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
    ds.SliceThickness = _decimal(grid.thickness)
    if len(grid.heights) > 1:
        ds.SpacingBetweenSlices = _decimal(grid.heights[1] - grid.heights[0])
    ds.StudyInstanceUID = patient.uid("study")
    ds.SeriesInstanceUID = patient.uid("series", equipment.contrast)
    ds.StudyID = "1"
    ds.SeriesNumber = number
    ds.AcquisitionNumber = 1
    ds.ImageOrientationPatient = [1, 0, 0, 0, 1, 0]
    ds.FrameOfReferenceUID = patient.uid("frame of reference")
    ds.PositionReferenceIndicator = ""
    ds.SamplesPerPixel = 1
    ds.PhotometricInterpretation = "MONOCHROME2"
    ds.Rows = ds.Columns = grid.matrix
    ds.PixelSpacing = [_decimal(grid.pixel)] * 2
    ds.BitsAllocated = 16
    ds.BitsStored = 12
    ds.HighBit = 11
    ds.PixelRepresentation = 0
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
    ds.RescaleIntercept = CT_INTERCEPT
    ds.RescaleSlope = 1
    ds.RescaleType = "HU"


def _describe_mr(ds: Dataset, sequence: Sequence) -> None:
    prepared = sequence.inversion_time > 0
    ds.ScanningSequence = ["GR", "IR"] if prepared else "SE"
    ds.SequenceVariant = ["SP", "MP"] if prepared else "SK"
    ds.ScanOptions = ""
    ds.MRAcquisitionType = "3D" if prepared else "2D"
    ds.RepetitionTime = _decimal(sequence.repetition_time)
    ds.EchoTime = _decimal(sequence.echo_time)
    ds.EchoTrainLength = 15 if sequence.echo_time > 60 else 1
    if prepared:
        ds.InversionTime = _decimal(sequence.inversion_time)
    ds.FlipAngle = 9 if prepared else 90
    ds.MagneticFieldStrength = _decimal(sequence.field)
    ds.ImagedNucleus = "1H"
    ds.ImagingFrequency = _decimal(sequence.field * 42.577)
    ds.NumberOfAverages = 1
