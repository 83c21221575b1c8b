"""One DICOM file's header: what it holds, or why it is set aside."""

from __future__ import annotations

import os
import stat
from collections.abc import Iterator
from dataclasses import dataclass, field
from functools import cache
from pathlib import Path
from typing import BinaryIO

from pydicom import Dataset
from pydicom.datadict import tag_for_keyword
from pydicom.errors import InvalidDicomError
from pydicom.filereader import read_partial
from pydicom.pixels import get_decoder
from pydicom.uid import UID, DeflatedExplicitVRLittleEndian

from ...model.description import Description
from ..settings import DataSettings
from .codes import MODALITY
from .describe import DESCRIBED_BY, describe
from .fields import first_number, first_text, integer, items, texts
from .functional_groups import flat_headers
from .geometry import Plane, pixel_spacing, plane_of
from .quantity import MEASURED_BY, PRIVATE_TAGS, is_hounsfield
from .scanner import TOLD_BY, Scanner, scanner_of
from .set_aside import Reason, SetAsideError
from .suitability import REFUSED_BY, refuse_unsuitable

_READ = (
    *DESCRIBED_BY, *TOLD_BY, *MEASURED_BY, *REFUSED_BY,
    "Columns", "FrameOfReferenceUID", "ImageOrientationPatient", "ImagePositionPatient",
    "ImagerPixelSpacing", "InstanceNumber", "NumberOfFrames", "PatientID", "PatientOrientation",
    "PerFrameFunctionalGroupsSequence", "PixelAspectRatio", "PixelSpacing",
    "ReferencedSeriesSequence", "Rows", "SOPInstanceUID", "SamplesPerPixel", "SeriesInstanceUID",
    "SharedFunctionalGroupsSequence", "SliceThickness", "SpacingBetweenSlices",
    "StudyInstanceUID", "SyntheticData", "TemporalPositionIdentifier", "WindowCenter",
    "WindowWidth",
)  # fmt: skip
_TAGS = [tag for keyword in _READ if (tag := tag_for_keyword(keyword)) is not None]
_TAGS += PRIVATE_TAGS
_PIXEL_TAGS = (0x7FE00008, 0x7FE00009, 0x7FE00010)  # float, double and integer pixels
_UNDEFINED_LENGTH = 0xFFFFFFFF

MIN_SIDE, MAX_SIDE = 8, 16384


@dataclass(frozen=True, slots=True)
class Frame:
    """One frame of an image file.

    Attributes:
        description: What it shows.
        plane: Where it lies; ``None`` for projections and cine frames.
        patient_orientation: Directions of rows and columns of a projection, such as
            ``("L", "F")`` (PS3.3 C.7.6.1.1.1); empty if not given.
        spacing: Distance between rows and between columns, mm.
        variant: Whatever tells images at one position apart (echo, phase, diffusion weight).
        window: Centre and width of its first VOI window, if any.
    """

    description: Description
    plane: Plane | None
    patient_orientation: tuple[str, ...]
    spacing: tuple[float, float]
    variant: tuple[float | str, ...]
    window: tuple[float, float] | None


@dataclass(frozen=True, slots=True)
class FileHeader:
    """What the index needs to know of one file. Identifiers here never leave the site.

    Attributes that need words:
        scanner: What made it.
        synthetic: Whether it says that it holds made-up data (SyntheticData, PS3.3 C.12.1).
        segments: UIDs of the series that a segmentation refers to.
    """

    patient_id: str = field(repr=False)
    study_uid: str
    series_uid: str
    sop_uid: str
    frame_of_reference: str
    instance: int
    shape: tuple[int, int]
    frames: tuple[Frame, ...]
    compressed: bool
    scanner: Scanner
    synthetic: bool = False
    segments: tuple[str, ...] = ()
    is_segmentation: bool = False


def read_header(path: Path, settings: DataSettings) -> FileHeader:
    """Read one file's header, without its pixels.

    Raises:
        SetAsideError: If the file cannot be trained on, with the reason.
    """
    try:
        # Anything but a regular file could block for ever (a pipe, a socket).
        if not stat.S_ISREG(path.stat().st_mode):
            raise SetAsideError(Reason.UNREADABLE)
        with path.open("rb") as file:
            ds = _parse(file)
            return _interpret(ds, settings)
    except OSError:
        raise SetAsideError(Reason.UNREADABLE) from None
    except SetAsideError:
        raise
    except InvalidDicomError:
        raise SetAsideError(Reason.NOT_DICOM) from None
    except Exception:
        # pydicom raises nearly any type on damaged bytes; one bad file must not stop a site,
        # and its exception text may quote the header.
        raise SetAsideError(Reason.BROKEN) from None


def _parse(file: BinaryIO) -> Dataset:
    """Parse up to the pixels, and check that they are there in full."""
    lengths: list[int] = []

    def at_pixels(tag: int, _vr: str | None, length: int) -> bool:
        if tag in _PIXEL_TAGS:
            lengths.append(length)
        return tag in _PIXEL_TAGS

    ds = read_partial(file, stop_when=at_pixels, specific_tags=list(_TAGS))
    if not lengths or not integer(ds, "Rows"):
        raise SetAsideError(Reason.NO_PIXELS)
    # Deflated files are parsed from memory, so there is no place in the file to compare.
    syntax = ds.file_meta.get("TransferSyntaxUID")
    sized = lengths[0] != _UNDEFINED_LENGTH and syntax != DeflatedExplicitVRLittleEndian
    # The parser stops in front of the pixel element, whose own header has 8 bytes or more.
    if sized and (
        file.tell() + 8 + lengths[0] > os.fstat(file.fileno()).st_size
        or lengths[0] < _least_length(ds)
    ):
        raise SetAsideError(Reason.BROKEN)
    return ds


def _least_length(ds: Dataset) -> int:
    """Bytes that uncompressed pixels need at least (subsampled colour needs two thirds)."""
    samples = integer(ds, "Rows") * integer(ds, "Columns") * integer(ds, "SamplesPerPixel", 1)
    bits = samples * max(1, integer(ds, "NumberOfFrames", 1)) * integer(ds, "BitsAllocated")
    return bits * 2 // 24 if integer(ds, "SamplesPerPixel", 1) == 3 else bits // 8


def _interpret(ds: Dataset, settings: DataSettings) -> FileHeader:
    modality = first_text(ds, "Modality").upper()
    is_segmentation = modality == "SEG"
    if not is_segmentation and modality not in MODALITY:
        raise SetAsideError(Reason.MODALITY)
    patient = first_text(ds, "PatientID").casefold()
    if not patient:
        raise SetAsideError(Reason.NO_PATIENT)
    syntax = UID(str(ds.file_meta.get("TransferSyntaxUID", "")))
    if not _decodable(syntax):
        raise SetAsideError(Reason.ENCODING)
    shape = integer(ds, "Rows"), integer(ds, "Columns")
    if min(shape) < MIN_SIDE or max(shape) > MAX_SIDE:
        raise SetAsideError(Reason.SIZE)
    if not is_segmentation:
        refuse_unsuitable(ds, settings)
    sop_uid = first_text(ds, "SOPInstanceUID")
    return FileHeader(
        patient_id=patient,
        study_uid=first_text(ds, "StudyInstanceUID"),
        series_uid=first_text(ds, "SeriesInstanceUID") or sop_uid,
        sop_uid=sop_uid,
        frame_of_reference=first_text(ds, "FrameOfReferenceUID"),
        instance=integer(ds, "InstanceNumber"),
        shape=shape,
        frames=() if is_segmentation else tuple(_frames(ds)),
        compressed=syntax.is_encapsulated,
        scanner=scanner_of(ds, MODALITY.get(modality, modality)),
        synthetic=first_text(ds, "SyntheticData").upper() == "YES",
        segments=_segmented_series(ds) if is_segmentation else (),
        is_segmentation=is_segmentation,
    )


@cache
def _decodable(transfer_syntax: UID) -> bool:
    try:
        return bool(get_decoder(transfer_syntax).is_available)
    except NotImplementedError:
        return False


def _frames(ds: Dataset) -> Iterator[Frame]:
    flat = flat_headers(ds)
    if flat is None:
        # Old multi-frame objects repeat one header; frames after the first have no place.
        count = max(1, integer(ds, "NumberOfFrames", 1))
        flat = iter([ds] * count)
        placed = count == 1
    else:
        placed = True
    for header in flat:
        yield _frame(header, placed)


def _frame(ds: Dataset, placed: bool) -> Frame:
    plane = plane_of(ds) if placed else None
    description = describe(ds, plane=plane.name if plane else "")
    if description is None:
        raise SetAsideError(Reason.MODALITY)
    if plane is None and first_text(ds, "Modality").upper() in ("CT", "MR"):
        raise SetAsideError(Reason.GEOMETRY)
    if description.modality == "CT" and not is_hounsfield(ds):
        raise SetAsideError(Reason.NOT_HOUNSFIELD)
    centre, width = first_number(ds, "WindowCenter"), first_number(ds, "WindowWidth")
    return Frame(
        description=description,
        plane=plane,
        patient_orientation=tuple(texts(ds, "PatientOrientation")),
        spacing=plane.spacing if plane else pixel_spacing(ds),
        variant=(
            first_number(ds, "EffectiveEchoTime", "EchoTime") or 0.0,
            first_number(ds, "DiffusionBValue") or 0.0,
            first_number(ds, "TemporalPositionIndex", "TemporalPositionIdentifier") or 0.0,
            " ".join(texts(ds, "FrameType") or texts(ds, "ImageType"))[:64],
        ),
        window=(centre, width) if centre is not None and width is not None else None,
    )


def _segmented_series(ds: Dataset) -> tuple[str, ...]:
    return tuple(
        uid
        for item in items(ds, "ReferencedSeriesSequence")
        if (uid := first_text(item, "SeriesInstanceUID"))
    )
