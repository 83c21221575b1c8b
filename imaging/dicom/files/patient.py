"""When two patient identifiers are the same: that decides whom privacy is counted for."""

from __future__ import annotations

import unicodedata
from pathlib import Path

from pydicom import dcmread

from ..fields import first_text


def normal_identifier(text: str) -> str:
    """Write an identifier as it is compared everywhere: in headers, tables and opt-out lists.

    Case, outer blanks and the way in which Unicode spells a letter (``é`` as one sign or two) make
    no difference; issuers are no part of it.
    """
    return unicodedata.normalize("NFC", text.strip().casefold())


def patient_of(path: Path) -> str:
    """Return the patient identifier of a DICOM file; empty if it is none, or has none."""
    try:
        ds = dcmread(path, force=True, stop_before_pixels=True, specific_tags=["PatientID"])
    except Exception:  # pydicom raises nearly any type on damaged bytes
        return ""
    return normal_identifier(first_text(ds, "PatientID"))
