"""Write a label map beside its series as a DICOM Segmentation object (binary segments)."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import Path

import numpy as np
from highdicom.seg import Segmentation, SegmentationTypeValues, SegmentDescription
from numpy.typing import NDArray
from pydicom import Dataset
from pydicom.sr.coding import Code
from pydicom.uid import ExplicitVRLittleEndian

from ..model.conditions import LABEL

_ANATOMY = Code("123037004", "SCT", "Anatomical Structure")
_TISSUE = Code("85756007", "SCT", "Tissue")
_SUBSTANCE = Code("91720002", "SCT", "Body substance")
_ABNORMAL = Code("49755003", "SCT", "Morphologically Abnormal Structure")
#: Category and type of a segment (PS3.16 CID 7150 to 7160) by the class it stands for.
_PROPERTIES: dict[str, tuple[Code, Code]] = {
    "body": (_TISSUE, Code("87784001", "SCT", "Soft tissue")),
    "bone": (_TISSUE, Code("3138006", "SCT", "Bone")),
    "brain": (_ANATOMY, Code("12738006", "SCT", "Brain")),
    "fluid": (_SUBSTANCE, Code("65216001", "SCT", "Cerebrospinal fluid")),
    "lesion": (_ABNORMAL, Code("52988006", "SCT", "Lesion")),
}


def write_segmentation(
    path: Path,
    labels: NDArray[np.uint8],
    headers: Sequence[Dataset],
    *,
    uid: Callable[[str], str],
    number: int,
) -> None:
    """Write a label map that lies on the slices of one series.

    Args:
        path: The file to write.
        labels: ``[S, H, W]`` with the values of ``model.conditions.LABEL``.
        headers: Headers of the series' images in the same slice order.
        uid: Gives a UID by what it is for, so that the same phantom gets the same bytes.
        number: Series number.
    """
    names = [name for name in _PROPERTIES if (labels == LABEL[name]).any()]
    stack = np.stack([labels == LABEL[name] for name in names], axis=-1)
    segmentation = Segmentation(
        source_images=headers,
        pixel_array=stack,
        segmentation_type=SegmentationTypeValues.BINARY,
        segment_descriptions=[_describe(i, name) for i, name in enumerate(names, start=1)],
        series_instance_uid=uid("series"),
        series_number=number,
        sop_instance_uid=uid("instance"),
        instance_number=1,
        manufacturer="fedscan",
        manufacturer_model_name="fedscan phantoms",
        software_versions="1",
        device_serial_number="1",
        series_description=f"{headers[0].SeriesDescription} segmentation",
        content_description="Tissue classes",
        transfer_syntax_uid=ExplicitVRLittleEndian,
        content_date=headers[0].StudyDate,
        content_time=headers[0].StudyTime,
    )
    _settle(segmentation, uid("dimensions"))
    segmentation.save_as(path, enforce_file_format=True)


def _settle(segmentation: Segmentation, dimensions: str) -> None:
    """Replace what highdicom draws at random or takes from the clock."""
    segmentation.InstanceCreationDate = segmentation.ContentDate
    segmentation.InstanceCreationTime = segmentation.ContentTime
    for sequence in (
        segmentation.DimensionOrganizationSequence,
        segmentation.DimensionIndexSequence,
    ):
        for item in sequence:
            item.DimensionOrganizationUID = dimensions


def _describe(number: int, name: str) -> SegmentDescription:
    category, kind = _PROPERTIES[name]
    return SegmentDescription(
        segment_number=number,
        segment_label=name,
        segmented_property_category=category,
        segmented_property_type=kind,
        algorithm_type="MANUAL",
    )
