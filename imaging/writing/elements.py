"""What every DICOM image that fedscan writes is made of: codes, decimals, 12-bit grey pixels."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray
from pydicom.dataset import Dataset

#: Manufacturer of whatever fedscan generates or computes anew.
MAKER = "fedscan"
#: SoftwareVersions of the made-up patients of :mod:`fedscan.phantoms`.
PHANTOM_SOFTWARE = "fedscan phantoms"
#: HU that a stored value of 0 stands for.
CT_INTERCEPT = -1024
#: Largest stored value.
LARGEST_STORED = 4095


def decimal(value: float) -> str:
    """A decimal string (DS) of at most 16 bytes, without a negative zero."""
    return f"{round(value, 4) + 0.0:.4f}".rstrip("0").rstrip(".")


def code_item(value: str, scheme: str, meaning: str) -> Dataset:
    """A coded concept (PS3.3 8.8)."""
    item = Dataset()
    item.CodeValue = value
    item.CodingSchemeDesignator = scheme
    item.CodeMeaning = meaning
    return item


def stored_values(values: NDArray[np.floating]) -> NDArray[np.uint16]:
    """Round to what 12 bits hold, little endian."""
    return np.clip(np.rint(values), 0, LARGEST_STORED).astype("<u2")


def describe_pixels(image: Dataset, rows: int, columns: int) -> None:
    """Add the Image Pixel module (PS3.3 C.7.6.3) of :func:`stored_values`."""
    image.SamplesPerPixel, image.PhotometricInterpretation = 1, "MONOCHROME2"
    image.Rows, image.Columns = rows, columns
    image.BitsAllocated, image.BitsStored, image.HighBit = 16, 12, 11
    image.PixelRepresentation = 0


def describe_hounsfield(image: Dataset) -> None:
    """Add the Modality LUT module (PS3.3 C.11.1) of Hounsfield units."""
    image.RescaleIntercept, image.RescaleSlope, image.RescaleType = CT_INTERCEPT, 1, "HU"
