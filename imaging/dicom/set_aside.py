"""Why a file or a slice is not trained on: a closed list, counted and never quoted."""

from __future__ import annotations

from enum import StrEnum

from ...errors import DataError


class Reason(StrEnum):
    """What keeps a file, or one slice of it, out of the training data."""

    UNREADABLE = "file cannot be opened"
    NOT_DICOM = "not a DICOM file"
    BROKEN = "broken or truncated"
    NO_PIXELS = "DICOM without an image"
    NO_PATIENT = "no patient identifier"
    MODALITY = "modality not supported"
    BURNED_IN = "text burned into the pixels, marked or likely"
    ENCODING = "transfer syntax not supported"
    PHOTOMETRIC = "photometric interpretation not supported"
    COLOUR = "colour image"
    NOT_HOUNSFIELD = "values are not Hounsfield units"
    LOCALIZER = "localizer or scout image"
    GEOMETRY = "no usable orientation, position or pixel size"
    MOSAIC = "mosaic of many slices in one picture"
    TOMOSYNTHESIS = "tomosynthesis or another volume of films"
    REPEATED = "slice at the place of another one of its volume"
    TOO_MANY = "more slices than one volume may have"
    SIZE = "too small or too large an image"
    RAW = "raw detector image, not for reading"
    DUPLICATE = "copy of another file"
    SEGMENT = "segment of no known class"
    ORPHAN = "segmentation of no image here"
    BLANK = "slice shows nothing"
    SYNTHETIC = "synthetic image, of no patient"
    OPTED_OUT = "of a patient who opted out"


class SetAsideError(DataError):
    """One file cannot be used; caught where files are read, so that it never stops a site.

    The message is the reason alone: no path, no header value and no text of another
    exception, because those can name a patient.

    Args:
        reason: Why the file is set aside.
    """

    def __init__(self, reason: Reason) -> None:
        super().__init__(reason.value)
        self.reason = reason
