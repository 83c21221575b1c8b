"""Multi-frame headers: one flat, single-frame-like header per frame.

Enhanced objects keep what varies in functional groups (PS3.3 C.7.6.16): per-frame items
override shared ones. Flattened, a frame looks like a classic single-frame header, so that
everything else has to know one kind of header only.
"""

from __future__ import annotations

import contextlib
from collections.abc import Iterator

from pydicom import Dataset

from ..fields import items

#: Functional group macros that the rest of the client reads.
_MACROS = (
    # First, because it holds whatever has no macro: a macro says better where both speak.
    "UnassignedSharedConvertedAttributesSequence",
    "UnassignedPerFrameConvertedAttributesSequence",
    "CTAcquisitionDetailsSequence",
    "CTImageFrameTypeSequence",
    "CTReconstructionSequence",
    "CTXRayDetailsSequence",
    "CardiacSynchronizationSequence",
    "DerivationImageSequence",
    "FrameAnatomySequence",
    "FrameContentSequence",
    "FrameVOILUTSequence",
    "MRDiffusionSequence",
    "MREchoSequence",
    "MRImageFrameTypeSequence",
    "MRModifierSequence",
    "MRTimingAndRelatedParametersSequence",
    "PixelMeasuresSequence",
    "PixelValueTransformationSequence",
    "PlaneOrientationSequence",
    "PlanePositionSequence",
    "RespiratorySynchronizationSequence",
    "SegmentIdentificationSequence",
    "TemporalPositionSequence",
    "XAXRFFrameCharacteristicsSequence",
)


def flat_headers(ds: Dataset) -> Iterator[Dataset] | None:
    """Iterate over one flat header per frame of an object with functional groups.

    Returns:
        One header per per-frame item, or ``None`` if the object has no functional groups.
    """
    per_frame = list(items(ds, "PerFrameFunctionalGroupsSequence"))
    if not per_frame:
        return None
    common = Dataset()
    common.update(ds)
    for keyword in ("PerFrameFunctionalGroupsSequence", "SharedFunctionalGroupsSequence"):
        if keyword in common:
            delattr(common, keyword)
    for common_item in items(ds, "SharedFunctionalGroupsSequence"):
        _merge(common, common_item)
    for tag in list(common.keys()):
        with contextlib.suppress(Exception):  # one that is malformed stays undecoded
            common[tag]  # decoded here once, not again in every frame
    return (_flatten(common, group) for group in per_frame)


def _flatten(common: Dataset, group: Dataset) -> Dataset:
    flat = Dataset()
    flat.update(common)
    _merge(flat, group)
    return flat


def _merge(flat: Dataset, group: Dataset) -> None:
    for macro in _MACROS:
        for item in items(group, macro):
            flat.update(item)
            break
    # Its items are told apart by their units, and are no fields of the frame.
    if "RealWorldValueMappingSequence" in group:
        flat["RealWorldValueMappingSequence"] = group["RealWorldValueMappingSequence"]
