"""What tells the images of one place apart: when, how and as what they were taken."""

from __future__ import annotations

import re
from datetime import date
from typing import NamedTuple

from pydicom import Dataset

from ..fields import first_number, first_text, items, numbers, texts

#: Header keywords that a moment is read from.
TOLD_MOMENT_BY = (
    "AcquisitionDate", "AcquisitionDateTime", "AcquisitionNumber", "AcquisitionTime",
    "ContentDate", "ContentTime", "ConvolutionKernel", "DiffusionBValue",
    "DiffusionGradientDirectionSequence", "DiffusionGradientOrientation", "EchoNumbers",
    "EchoTime", "EffectiveEchoTime", "FlipAngle", "FrameAcquisitionDateTime",
    "FrameAcquisitionNumber", "FrameType", "ImageType", "InversionTime", "KVP",
    "NominalCardiacTriggerDelayTime", "NominalPercentageOfCardiacPhase",
    "NominalPercentageOfRespiratoryPhase", "StackID", "TemporalPositionIdentifier",
    "TemporalPositionIndex", "TemporalPositionTimeOffset", "TriggerTime",
)  # fmt: skip


class Moment(NamedTuple):
    """When and how one frame was taken; ``None`` or empty where the header does not say.

    Attributes:
        temporal: Number of the phase.
        acquisition: Number of the acquisition.
        trigger_ms: Time since the heart beat or the start of the series.
        cycle: Percentage of the heart's or the breath's cycle.
        echo_ms: Echo time.
        b_value: Diffusion weight, s/mm².
        direction: Direction of the diffusion gradient.
        image_type: All words of the image type.
        settings: Inversion time, flip angle, tube voltage, kernel, echo number.
        pile: Name that the scanner gave the stack.
        taken_s: When it was acquired, seconds on one axis.
        stored_s: When its content was made, seconds on the same axis.
    """

    temporal: float | None
    acquisition: float | None
    trigger_ms: float | None
    cycle: float | None
    echo_ms: float | None
    b_value: float | None
    direction: str
    image_type: str
    settings: str
    pile: str
    taken_s: float | None
    stored_s: float | None


def moment_of(ds: Dataset) -> Moment:
    """Read a moment from a flat header; the fields of :data:`TOLD_MOMENT_BY` are looked at."""
    return Moment(
        temporal=first_number(
            ds, "TemporalPositionIndex", "TemporalPositionIdentifier", "TemporalPositionTimeOffset"
        ),
        acquisition=first_number(ds, "FrameAcquisitionNumber", "AcquisitionNumber"),
        trigger_ms=first_number(ds, "NominalCardiacTriggerDelayTime", "TriggerTime"),
        cycle=first_number(
            ds, "NominalPercentageOfCardiacPhase", "NominalPercentageOfRespiratoryPhase"
        ),
        echo_ms=first_number(ds, "EffectiveEchoTime", "EchoTime"),
        b_value=first_number(ds, "DiffusionBValue"),
        direction=_direction(ds),
        image_type="/".join(texts(ds, "FrameType") or texts(ds, "ImageType")).upper()[:64],
        settings="/".join(_settings(ds)),
        pile=first_text(ds, "StackID")[:16],
        taken_s=_seconds(ds, "FrameAcquisitionDateTime", "AcquisitionDateTime", "Acquisition"),
        stored_s=_seconds(ds, "", "", "Content"),
    )


def _direction(ds: Dataset) -> str:
    direction = numbers(ds, "DiffusionGradientOrientation", 3)
    for item in items(ds, "DiffusionGradientDirectionSequence"):
        direction = numbers(item, "DiffusionGradientOrientation", 3)
    return "" if direction is None else " ".join(f"{value:.2f}" for value in direction)


def _settings(ds: Dataset) -> list[str]:
    values = [
        first_number(ds, keyword)
        for keyword in ("InversionTime", "FlipAngle", "KVP", "EchoNumbers")
    ]
    words = [] if values == [None] * 4 else [f"{value or 0:.3g}" for value in values]
    kernel = first_text(ds, "ConvolutionKernel")[:16]
    return [*words, kernel] if kernel else words


def _seconds(ds: Dataset, framewise: str, both: str, separate: str) -> float | None:
    """Read a time of day, with its date where there is one, as seconds."""
    for keyword in filter(None, (framewise, both)):
        text = first_text(ds, keyword)
        if (seconds := _time(text[8:])) is not None:
            return _day(text) + seconds
    time = _time(first_text(ds, f"{separate}Time"))
    return None if time is None else _day(first_text(ds, f"{separate}Date")) + time


def _time(text: str) -> float | None:
    match = re.match(r"(\d\d):?(\d\d):?(\d\d(?:\.\d+)?)", text)
    return int(match[1]) * 3600.0 + int(match[2]) * 60.0 + float(match[3]) if match else None


def _day(text: str) -> float:
    try:
        return date(int(text[:4]), int(text[4:6]), int(text[6:8])).toordinal() * 86400.0
    except ValueError:
        return 0.0
