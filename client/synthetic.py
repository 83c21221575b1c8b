"""What a DICOM file says about having been generated (SyntheticData, PS3.3 C.12.1)."""

from __future__ import annotations

from pathlib import Path

from pydicom import dcmread


def says_synthetic(path: Path) -> bool:
    """Whether a readable DICOM file says that it holds made-up data."""
    header = dcmread(path, stop_before_pixels=True, specific_tags=["SyntheticData"])
    return str(header.get("SyntheticData", "")).upper() == "YES"
