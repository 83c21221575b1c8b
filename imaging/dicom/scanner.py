"""The scanner that made an image, from its header."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from pydicom import Dataset
from pydicom.datadict import tag_for_keyword
from pydicom.filereader import read_partial

from .codes import MODALITY
from .fields import first_number, first_text
from .folder import list_files
from .quiet import quiet_pydicom

_READ = (
    "DeviceSerialNumber", "MagneticFieldStrength", "Manufacturer", "ManufacturerModelName",
    "Modality", "PatientID",
)  # fmt: skip
_TAGS = [tag for keyword in _READ if (tag := tag_for_keyword(keyword)) is not None]
#: The last of these in the order of a file (DeviceSerialNumber): nothing behind it is parsed.
_LAST = 0x00181000
#: Field strengths in tesla that are told apart; others are rounded to the nearest.
_FIELDS = (0.5, 1.0, 1.5, 3.0, 7.0)


@dataclass(frozen=True, kw_only=True)
class Scanned:
    """Who was scanned, and by what; as the header has it, so it stays where the scan is.

    Attributes:
        patient: Identifier, casefolded.
        modality: CT, MR, X-ray or ultrasound.
        kind: Modality, for MR with the field strength.
        device: Maker, model and serial number; empty where none is known.
    """

    patient: str
    modality: str
    kind: str
    device: str


def read_scanners(folder: Path) -> Iterator[Scanned]:
    """Yield what each readable image of a known modality in a folder says of its scanner."""
    with quiet_pydicom():
        for entry in list_files(folder):
            header = _header(folder / entry.path)
            modality = MODALITY.get(first_text(header, "Modality").upper(), "") if header else ""
            patient = first_text(header, "PatientID").casefold() if header else ""
            if header is not None and modality and patient:
                yield Scanned(
                    patient=patient,
                    modality=modality,
                    kind=_kind(header, modality),
                    device=_device(header, modality),
                )


def _header(path: Path) -> Dataset | None:
    try:
        with path.open("rb") as file:
            return read_partial(
                file, stop_when=lambda tag, _vr, _length: tag > _LAST, specific_tags=_TAGS
            )
    except Exception:  # whatever pydicom raises on a damaged file or one that is no DICOM
        return None


def _kind(header: Dataset, modality: str) -> str:
    field = first_number(header, "MagneticFieldStrength")
    if modality != "MR" or field is None:
        return modality
    return f"MR {min(_FIELDS, key=lambda known: abs(known - field)):g} T"


def _device(header: Dataset, modality: str) -> str:
    fields = ("Manufacturer", "ManufacturerModelName", "DeviceSerialNumber")
    known = [first_text(header, field).casefold() for field in fields]
    return "|".join([modality, *known]) if any(known) else ""
