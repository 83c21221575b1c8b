"""The scanner that made an image, from its header."""

from __future__ import annotations

from dataclasses import dataclass, field
from functools import lru_cache

from pydicom import Dataset

from .fields import first_number, first_text

#: Header keywords that a scanner is told by.
TOLD_BY = ("DeviceSerialNumber", "MagneticFieldStrength", "Manufacturer", "ManufacturerModelName")
#: Field strengths in tesla that are told apart; others are rounded to the nearest.
_FIELDS = (0.5, 1.0, 1.5, 3.0, 7.0)


@dataclass(frozen=True, slots=True)
class Scanner:
    """What made an image.

    Attributes:
        modality: CT, MR, X-ray or ultrasound.
        kind: Modality, for MR with the field strength.
        device: Maker, model and serial number, which stay where the scan is; empty if unknown.
    """

    modality: str
    kind: str
    device: str = field(repr=False)


def scanner_of(ds: Dataset, modality: str) -> Scanner:
    """Tell the scanner of a header.

    Args:
        ds: With the keywords of :data:`TOLD_BY`.
        modality: The image's.
    """
    words = ("Manufacturer", "ManufacturerModelName", "DeviceSerialNumber")
    texts_of_device = [first_text(ds, keyword).casefold() for keyword in words]
    device = "|".join([modality, *texts_of_device]) if any(texts_of_device) else ""
    return _shared(modality, _kind(ds, modality), device)


@lru_cache(maxsize=1024)
def _shared(modality: str, kind: str, device: str) -> Scanner:
    """One object for all files of a scanner: a site may have millions."""
    return Scanner(modality, kind, device)


def _kind(ds: Dataset, modality: str) -> str:
    field_strength = first_number(ds, "MagneticFieldStrength")
    if modality != "MR" or field_strength is None:
        return modality
    return f"MR {min(_FIELDS, key=lambda strength: abs(strength - field_strength)):g} T"
