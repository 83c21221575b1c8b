"""One DICOM file's header: what it holds, or why it is set aside."""

from __future__ import annotations

import stat
from dataclasses import dataclass, field
from functools import cache
from pathlib import Path

from pydicom import Dataset
from pydicom.datadict import tag_for_keyword
from pydicom.errors import InvalidDicomError
from pydicom.pixels import get_decoder
from pydicom.uid import UID

from ...model.words.vocabulary import Vocabulary
from ..settings import DataSettings
from .codes import MODALITY
from .fields import first_text, integer, items
from .files.parsing import parse_header
from .files.patient import normal_identifier
from .frames.frame import FRAMES_TOLD_BY, PRIVATE_TAGS, Frame, read_frames_of
from .frames.kinds import TOLD_KIND_BY, foreign_kind
from .scanner import TOLD_BY, Scanner, scanner_of
from .set_aside import Reason, SetAsideError
from .stacks.localizer import NameOfLocalizer, name_of
from .suitability import REFUSED_BY, refuse_unsuitable
from .synthetic import SYNTHETIC_BY, is_phantom, is_synthetic

#: All that is read of a header, in one pass.
_READ = frozenset({
    *FRAMES_TOLD_BY, *REFUSED_BY, *SYNTHETIC_BY, *TOLD_BY, *TOLD_KIND_BY,
    "AccessionNumber", "BitsAllocated", "FrameOfReferenceUID", "InstanceNumber", "PatientID",
    "ReferencedSeriesSequence", "SOPInstanceUID", "SamplesPerPixel", "SeriesInstanceUID",
    "StudyInstanceUID",
})  # fmt: skip
_TAGS = [
    *PRIVATE_TAGS,
    *(tag for keyword in sorted(_READ) if (tag := tag_for_keyword(keyword)) is not None),
]

MIN_SIDE, MAX_SIDE = 8, 16384


@dataclass(frozen=True, slots=True)
class FileHeader:
    """What the index needs to know of one file. Identifiers here never leave the site.

    Attributes that need words:
        scanner: What made it.
        name: Whether its series' name says that it is a localizer.
        synthetic: Whether it says that it holds made-up data (:mod:`.synthetic`).
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
    name: NameOfLocalizer = ""
    synthetic: bool = False
    segments: tuple[str, ...] = ()
    is_segmentation: bool = False
    accession: str = field(default="", repr=False)


def read_header(path: Path, settings: DataSettings, words: Vocabulary) -> FileHeader:
    """Read one file's header, without its pixels.

    Args:
        path: The file.
        settings: What to accept.
        words: What its fields may select to describe it.

    Raises:
        SetAsideError: If the file cannot be trained on, with the reason.
    """
    try:
        # Anything but a regular file could block for ever (a pipe, a socket).
        if not stat.S_ISREG(path.stat().st_mode):
            raise SetAsideError(Reason.UNREADABLE)
        with path.open("rb") as file:
            return _interpret(parse_header(file, _TAGS), settings, words)
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


def _interpret(ds: Dataset, settings: DataSettings, words: Vocabulary) -> FileHeader:
    modality = first_text(ds, "Modality").upper()
    is_segmentation = modality == "SEG"
    if not is_segmentation and modality not in MODALITY:
        raise SetAsideError(Reason.MODALITY)
    patient = normal_identifier(first_text(ds, "PatientID"))
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
        if settings.synthetic == "refuse" and is_synthetic(ds) and not is_phantom(ds):
            raise SetAsideError(Reason.SYNTHETIC)
        if (reason := foreign_kind(ds)) is not None:
            raise SetAsideError(reason)
    sop_uid = first_text(ds, "SOPInstanceUID")
    return FileHeader(
        patient_id=patient,
        study_uid=first_text(ds, "StudyInstanceUID"),
        series_uid=first_text(ds, "SeriesInstanceUID") or sop_uid,
        sop_uid=sop_uid,
        frame_of_reference=first_text(ds, "FrameOfReferenceUID"),
        instance=integer(ds, "InstanceNumber"),
        shape=shape,
        frames=() if is_segmentation else tuple(read_frames_of(ds, words)),
        compressed=syntax.is_encapsulated,
        scanner=scanner_of(ds, MODALITY.get(modality, modality)),
        name=name_of(ds),
        synthetic=is_synthetic(ds),
        segments=_segmented_series(ds) if is_segmentation else (),
        is_segmentation=is_segmentation,
        accession=first_text(ds, "AccessionNumber"),
    )


@cache
def _decodable(transfer_syntax: UID) -> bool:
    try:
        return bool(get_decoder(transfer_syntax).is_available)
    except NotImplementedError:
        return False


def _segmented_series(ds: Dataset) -> tuple[str, ...]:
    return tuple(
        uid
        for item in items(ds, "ReferencedSeriesSequence")
        if (uid := first_text(item, "SeriesInstanceUID"))
    )
