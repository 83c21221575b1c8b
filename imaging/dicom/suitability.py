"""Which images are no clean diagnostic pictures, by their headers and the site's policy."""

from __future__ import annotations

import re

from pydicom import Dataset

from ..settings import DataSettings
from .codes import COLOURS, MONOCHROME
from .fields import first_text, texts
from .set_aside import Reason, SetAsideError

#: Header keywords that this module looks at.
REFUSED_BY = (
    "BurnedInAnnotation", "ConversionType", "ImageType", "Modality", "PhotometricInterpretation",
    "PresentationIntentType", "SOPClassUID", "SeriesDescription",
)  # fmt: skip

_SECONDARY_CAPTURE = "1.2.840.10008.5.1.4.1.1.7"
#: Image types of pictures of a screen, and of reports that a scanner draws.
_SCREEN_TYPE = re.compile(
    r"\bscreen(?!ing)|snap ?shot|\bcaptured?\b|\breports?\b|(?<!low )\bdose\b|\bprot(ocol)?s?\b"
    r"|\bsummary\b|\btables?\b|\bgraphs?\b|\bcurves?\b"
)
#: The same in a series description.
_SCREEN_WORDS = re.compile(
    r"\bscreen ?(save|shot|capture|dump|grab|copy)s?\b|\bsecondary capture|\bsnap ?shots?\b"
    r"|\b(dose|exam|examination|patient|study|injection|injector|radiation) ?"
    r"(report|summary|record|info|information|sheet|page|table)s?\b"
    r"|\b(patient|exam|examination|dose) ?protocols?\b"
    r"|\bdosis ?(bericht|protokoll)|\bpatienten ?protokoll"
)
#: Conversion types (PS3.3 C.8.6.1) of images that a modality did not send: digitised film,
#: video and documents, and what a workstation or an interface captured.
_CAPTURED = frozenset(("WSD", "DV", "DI", "DF", "SD", "SI", "DRW"))


def refuse_unsuitable(ds: Dataset, settings: DataSettings) -> None:
    """Refuse what is no clean diagnostic picture.

    Args:
        ds: The file's header; :data:`REFUSED_BY` is looked at.
        settings: The site's policy on colours and on text in the pixels.

    Raises:
        SetAsideError: With the reason.
    """
    photometric = first_text(ds, "PhotometricInterpretation").upper()
    if photometric not in MONOCHROME + COLOURS:
        raise SetAsideError(Reason.PHOTOMETRIC)
    if photometric in COLOURS and settings.colour == "refuse":
        raise SetAsideError(Reason.COLOUR)
    burned_in = first_text(ds, "BurnedInAnnotation").upper()
    if (
        burned_in.startswith("Y")
        or _shows_a_screen(ds)
        or (settings.burned_in == "refuse_unstated" and not burned_in)
        or (settings.burned_in == "refuse_likely" and not burned_in and _is_captured(ds))
    ):
        raise SetAsideError(Reason.BURNED_IN)
    if "LOCALIZER" in (kind.upper() for kind in texts(ds, "ImageType")):
        raise SetAsideError(Reason.LOCALIZER)
    if first_text(ds, "PresentationIntentType").upper() == "FOR PROCESSING":
        raise SetAsideError(Reason.RAW)


def _shows_a_screen(ds: Dataset) -> bool:
    """Whether an image is the picture of a screen or of a report: that is text, whoever sent it.

    Scanners save screens and dose reports under the SOP class of their images.
    """
    types = [text.lower().replace("_", " ") for text in texts(ds, "ImageType")]
    words = " ".join(texts(ds, "SeriesDescription")).lower().replace("_", " ").replace("-", " ")
    return any(_SCREEN_TYPE.search(text) for text in types) or bool(_SCREEN_WORDS.search(words))


def _is_captured(ds: Dataset) -> bool:
    """Whether text is likely: ultrasound, and what was captured rather than acquired."""
    kind = first_text(ds, "SOPClassUID")
    return (
        first_text(ds, "Modality").upper() == "US"
        or kind == _SECONDARY_CAPTURE
        or kind.startswith(_SECONDARY_CAPTURE + ".")
        or first_text(ds, "ConversionType").upper() in _CAPTURED
    )
