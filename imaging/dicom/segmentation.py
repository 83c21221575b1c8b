"""DICOM segmentations become label maps on the slices they segment (PS3.3 C.8.20)."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from pydicom import Dataset

from ...model.conditions import LABEL, UNKNOWN
from .decoding.codecs import safe_frames
from .fields import first_number, first_text, integer, items
from .files.parsing import read_file
from .frames.functional_groups import flat_headers
from .geometry import Plane, plane_of, slice_step, stack_affine
from .segment_classes import BACKGROUND, class_of_segment
from .set_aside import Reason, SetAsideError

Labels = NDArray[np.uint8]

#: Frames nearer than this lie at one depth, mm.
_SAME_DEPTH_MM = 0.02
#: More layers than any scanner makes of one body.
_MOST_LAYERS = 8192


@dataclass(frozen=True, eq=False)
class LabelVolume:
    """The segments of one file on its own voxel grid.

    Attributes:
        labels: ``[K, R, C]`` with the values of ``model.conditions.LABEL`` and ``UNKNOWN``.
        to_index: LPS mm to indices ``(k, r, c)``, ``[4, 4]``.
    """

    labels: Labels
    to_index: NDArray[np.float64]

    def on(self, plane: Plane, shape: tuple[int, int]) -> Labels:
        """Sample the labels at the pixel centres of an image slice, nearest voxel."""
        rows, columns = np.indices(shape)
        affine = self.to_index @ stack_affine([plane])
        index = (
            affine[:3, 1, None, None] * rows
            + affine[:3, 2, None, None] * columns
            + affine[:3, 3, None, None]
        )
        nearest = np.rint(index).astype(np.int64)
        limits = np.reshape(self.labels.shape, (3, 1, 1))
        inside = ((nearest >= 0) & (nearest < limits)).all(0)
        nearest = np.where(inside, nearest, 0)
        return np.where(inside, self.labels[tuple(nearest)], 0).astype(np.uint8)


@dataclass(frozen=True, eq=False)
class Segmentation:
    """One segmentation file.

    Attributes:
        volume: Its segments in the patient, if it says where they lie.
        by_instance: Its segments by the SOP instance they were drawn on, if it does not.
        classes: The class of each segment, even if it is empty.
    """

    volume: LabelVolume | None
    by_instance: dict[str, Labels]
    classes: tuple[int, ...]

    @property
    def declares_lesions(self) -> bool:
        """Whether one of its segments is the class "lesion"."""
        return LABEL["lesion"] in self.classes

    @property
    def unknown_segments(self) -> int:
        """Number of segments of no known class."""
        return self.classes.count(UNKNOWN)

    @property
    def tells_classes(self) -> bool:
        """Whether any segment is of a known class: else there is no mask to learn from."""
        return any(value not in (UNKNOWN, BACKGROUND) for value in self.classes)

    def on(self, plane: Plane | None, sop_uid: str, shape: tuple[int, int]) -> Labels:
        """Label map ``[rows, columns]`` of one image slice; zero where nothing is segmented."""
        if self.volume is not None and plane is not None:
            return self.volume.on(plane, shape)
        labels = self.by_instance.get(sop_uid)
        return labels if labels is not None and labels.shape == shape else np.zeros(shape, np.uint8)


def read_segmentation(path: Path) -> Segmentation:
    """Read one segmentation: binary, fractional (at half its maximum) or label map.

    Raises:
        SetAsideError: If it is damaged.
    """
    try:
        return _read(path, read_file(path, stop_before_pixels=True))
    except SetAsideError:
        raise
    except Exception:
        # As in header.read_header: damaged files raise nearly anything.
        raise SetAsideError(Reason.BROKEN) from None


def _read(path: Path, ds: Dataset) -> Segmentation:
    classes = {
        integer(item, "SegmentNumber"): class_of_segment(item)
        for item in items(ds, "SegmentSequence")
    }
    header_count = len(list(items(ds, "PerFrameFunctionalGroupsSequence")))
    if header_count not in (0, integer(ds, "NumberOfFrames") or 1):
        raise SetAsideError(Reason.BROKEN)
    is_label_map = first_text(ds, "SegmentationType").upper() == "LABELMAP"
    threshold = 1.0
    if first_text(ds, "SegmentationType").upper() == "FRACTIONAL":
        threshold = (first_number(ds, "MaximumFractionalValue") or 255.0) / 2
    planes: list[tuple[Plane, Labels]] = []
    by_instance: dict[str, Labels] = {}
    headers = list(flat_headers(ds) or [ds])
    is_compressed = bool(ds.file_meta.TransferSyntaxUID.is_encapsulated)
    frames = safe_frames(path, range(len(headers)), "stored", compressed=is_compressed)
    for header, raw in zip(headers, frames, strict=True):
        if is_label_map:
            labels = np.where(raw > 0, np.uint8(UNKNOWN), np.uint8(BACKGROUND))
            for number, value in classes.items():
                labels[raw == number] = value
        else:
            value = classes.setdefault(integer(header, "ReferencedSegmentNumber"), UNKNOWN)
            labels = np.where(raw >= threshold, value, 0).astype(np.uint8)
        plane = plane_of(header)
        if plane is not None:
            planes.append((plane, labels))
        for uid in _source_instances(header):
            merge_labels(by_instance.setdefault(uid, np.zeros_like(labels)), labels)
    return Segmentation(
        volume=_volume(planes) if planes else None,
        by_instance=by_instance,
        classes=tuple(classes.values()),
    )


def merge_labels(onto: Labels, labels: Labels) -> None:
    """Draw labels over others in place; the higher class wins, so a lesion is never hidden.

    A known class wins over an unknown one, and that over background.
    """
    classes = np.maximum(np.where(onto == UNKNOWN, 0, onto), np.where(labels == UNKNOWN, 0, labels))
    has_unknown_class = (classes == 0) & ((onto == UNKNOWN) | (labels == UNKNOWN))
    onto[...] = np.where(has_unknown_class, UNKNOWN, classes)


def _source_instances(header: Dataset) -> list[str]:
    return [
        uid
        for item in items(header, "SourceImageSequence")
        if (uid := first_text(item, "ReferencedSOPInstanceUID"))
    ]


def _volume(planes: list[tuple[Plane, Labels]]) -> LabelVolume:
    """Stack frames by depth. Frames left out because they are empty stay zero."""
    planes = sorted(planes, key=lambda one: one[0].depth)
    first, last = planes[0][0], planes[-1][0]
    depths = np.array([plane.depth for plane, _ in planes]) - first.depth
    # Frames of several segments repeat a depth, up to the last digits of what was written.
    gaps = np.diff(depths)
    gaps = gaps[gaps > max(_SAME_DEPTH_MM, 0.1 * first.thickness)]
    # Neighbours in the file may be further apart than neighbours in the volume.
    step = float(gaps.min()) if len(gaps) else slice_step([first])
    count = min(round(depths[-1] / step), _MOST_LAYERS) + 1
    step = depths[-1] / (count - 1) if count > 1 else step
    volume = np.zeros((count, *planes[0][1].shape), np.uint8)
    for depth, (_, labels) in zip(depths, planes, strict=True):
        merge_labels(volume[round(depth / step)], labels)
    affine = stack_affine([first])
    affine[:3, 0] = first.normal * step
    if count > 1:  # keeps the shear of a tilted gantry
        affine[:3, 0] = np.subtract(last.position, first.position) / (count - 1)
    return LabelVolume(volume, np.asarray(np.linalg.inv(affine), np.float64))
