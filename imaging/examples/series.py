"""One series of scans becomes training examples."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from types import MappingProxyType

import numpy as np
from numpy.typing import NDArray

from ...model.conditions import LABEL, UNKNOWN
from ...model.description import Description
from ...model.example import Example
from ...model.intensity import percentile_to_model
from ..dicom.decode import Image, decode_slices
from ..dicom.geometry import slice_step
from ..dicom.index import Series
from ..dicom.segmentation import Segmentation, read_segmentation
from ..dicom.set_aside import Reason, SetAsideError
from ..dicom.stacks.stack import Slice, Stack
from ..labels.apply import common_label, described
from ..labels.source import ImageLabel
from ..settings import DataSettings
from .position import region_positions
from .reformat import (
    Pictures,
    can_reformat,
    native_pictures,
    reformatted_pictures,
    reformatted_size,
)
from .resample import fitted_size, pad_square, resize_images, resize_labels
from .upright import upright

#: A picture shows something if at least this share of it is brighter than this model value.
_MIN_SHOWN, _SHOWN_ABOVE = 0.01, -0.8
#: A stack of this share of its scan's extent has ends of its own.
_WHOLE_SCAN = 0.75
#: Slices that are read for each pixel of a volume's side at most.
_SLICES_PER_PIXEL = 8


@dataclass(frozen=True, eq=False)
class SeriesExamples:
    """Examples of one series, and what was set aside of it (files, or slices if blank)."""

    examples: list[Example] = field(default_factory=list)
    set_aside: Counter[Reason] = field(default_factory=Counter)


def series_examples(
    folder: Path,
    series: Series,
    settings: DataSettings,
    segmentation: Callable[[Path], Segmentation] = read_segmentation,
    labels: Mapping[str, ImageLabel] = MappingProxyType({}),
) -> SeriesExamples:
    """Decode one series and turn it into examples.

    Args:
        folder: The site's folder.
        series: A series of the site's index.
        settings: Image size, planes and limits.
        segmentation: Reads a segmentation file; one that remembers spares a patient's other
            series reading it again.
        labels: What a source beside the headers says, by file.

    Returns:
        The examples, in anatomical order within each stack.
    """
    result = SeriesExamples()
    segmentations = _segmentations(folder, series, segmentation, result.set_aside)
    for stack, slices in _spread(series.stacks, settings.max_slices_per_series):
        build = _volume_examples if stack.is_volume else _projection_examples
        result.examples.extend(
            build(folder, stack, slices, segmentations, settings, labels, result.set_aside)
        )
    return result


def evenly(count: int, limit: int) -> NDArray[np.intp]:
    """Choose at most ``limit`` of ``count`` indices: the middle one of equal parts."""
    if count <= limit:
        return np.arange(count)
    return np.floor((np.arange(limit) + 0.5) * count / limit).astype(np.intp)


def _spread(stacks: Sequence[Stack], limit: int) -> Iterator[tuple[Stack, list[Slice]]]:
    """Spread a series' limit over its stacks, by their number of slices."""
    every = [(stack, item) for stack in stacks for item in stack.slices]
    slice_ids = {id(every[index][1]) for index in evenly(len(every), limit)}
    for stack in stacks:
        if slices := [item for item in stack.slices if id(item) in slice_ids]:
            yield stack, slices


def _enough(slices: Sequence[Slice], image_size: int) -> list[Slice]:
    """Choose as many slices as a volume of this size can show: a series may be of any length."""
    return [slices[index] for index in evenly(len(slices), _SLICES_PER_PIXEL * image_size)]


def _segmentations(
    folder: Path,
    series: Series,
    segmentation: Callable[[Path], Segmentation],
    set_aside: Counter[Reason],
) -> list[Segmentation]:
    usable = []
    for path in series.segmentations:
        try:
            one = segmentation(folder / path)
        except SetAsideError as error:
            set_aside[error.reason] += 1
            continue
        if one.unknown_segments:
            set_aside[Reason.SEGMENT] += one.unknown_segments
        if one.tells_classes:
            usable.append(one)
    return usable


def _volume_examples(
    folder: Path,
    stack: Stack,
    slices: list[Slice],
    segmentations: list[Segmentation],
    settings: DataSettings,
    labels: Mapping[str, ImageLabel],
    set_aside: Counter[Reason],
) -> Iterator[Example]:
    planes = [item.plane for item in stack.slices if item.plane is not None]
    step = slice_step(planes)
    reformat = settings.planes == "all" and can_reformat(planes)
    shape, spacing = stack.shape, stack.spacing
    if reformat:
        size, pixel = reformatted_size(planes, shape, settings.image_size)
    else:
        (rows, columns), pixel = fitted_size(shape, spacing, settings.image_size)
        size = rows, columns
    pixels = decode_slices(
        folder,
        _enough(stack.slices, settings.image_size) if reformat else slices,
        shape,
        segmentations,
        values="displayed" if stack.window is not None else "physical",
        reduce=lambda image: resize_images(image[None], size)[0],
    )
    set_aside.update(pixels.set_aside)
    if not pixels.images:
        return
    hounsfield = stack.description.modality == "CT"
    if reformat and len(pixels.images) > 1:
        every = reformatted_pictures(
            pixels,
            hounsfield=hounsfield,
            shape=shape,
            pixel=pixel,
            image_size=settings.image_size,
        )
    else:
        wide = step * len(stack.slices) / len(pixels.images)
        every = [native_pictures(pixels, hounsfield=hounsfield, step=wide)]
    lesions = any(segmentation.declares_lesions for segmentation in segmentations)
    # Cuts through the air beside the patient are no loss; blank files are worth a count.
    blank = Counter[Reason]() if reformat else set_aside
    image_labels = [labels.get(item.path) for item in pixels.slices]
    for pictures in every:
        # A picture across the slices shows something of each: what all say holds for it.
        if len(image_labels) != len(pictures.images) or len(every) > 1:
            image_labels = [common_label(image_labels)] * len(pictures.images)
        yield from _examples(
            pictures,
            stack.description,
            image_labels,
            lesions,
            len(slices),
            settings,
            blank,
            None if reformat else _longer_scan(stack, pictures),
        )


def _examples(
    pictures: Pictures,
    description: Description,
    image_labels: Sequence[ImageLabel | None],
    lesions_declared: bool,
    limit: int,
    settings: DataSettings,
    blank: Counter[Reason],
    ends: tuple[float, float] | None,
) -> Iterator[Example]:
    has_content = np.array([_shows(image) for image in pictures.images])
    positions = region_positions(
        pictures.heights,
        has_content,
        ends=ends,
        plane=pictures.plane,
        body_part=description.body_part,
        margin=pictures.step / 2,
    )
    with_content = np.flatnonzero(has_content)
    if not has_content.all():
        blank[Reason.BLANK] += int((~has_content).sum())
    indices = with_content[evenly(len(with_content), limit)]
    images = pad_square(pictures.images[indices], settings.image_size, -1.0)
    labels = None
    if pictures.labels is not None:
        labels = pad_square(pictures.labels[indices], settings.image_size, 0)
    for index, position in enumerate(positions[indices]):
        mask = None if labels is None else labels[index]
        label = image_labels[indices[index]]
        shown_here = replace(described(description, label), plane=pictures.plane)
        if mask is not None and lesions_declared:
            lesion = bool((mask == LABEL["lesion"]).any())
            # What is of no known class may be a lesion: then nothing is said.
            if lesion or not (mask == UNKNOWN).any():
                shown_here = shown_here.with_lesion(lesion)
        yield Example(
            image=images[index],
            description=shown_here,
            position=float(position),
            mask=mask,
            report=_report(label, settings),
        )


def _report(label: ImageLabel | None, settings: DataSettings) -> str:
    return label.report if label is not None and settings.captions == "text" else ""


def _longer_scan(stack: Stack, pictures: Pictures) -> tuple[float, float] | None:
    """Heights that the scan spans of which a stack is a part (a phase of the liver alone)."""
    low, high = stack.reach
    own = stack.slices[-1].plane, stack.slices[0].plane
    if own[0] is None or own[1] is None:
        return None
    if own[0].depth - own[1].depth > _WHOLE_SCAN * (high - low):
        return None
    return (-high, -low) if pictures.plane == "coronal" else (low, high)


def _projection_examples(
    folder: Path,
    stack: Stack,
    slices: list[Slice],
    segmentations: list[Segmentation],
    settings: DataSettings,
    labels: Mapping[str, ImageLabel],
    set_aside: Counter[Reason],
) -> Iterator[Example]:
    size, _ = fitted_size(stack.shape, stack.spacing, settings.image_size)
    pixels = decode_slices(
        folder,
        slices,
        stack.shape,
        segmentations,
        values="displayed",
        reduce=lambda image: resize_images(image[None], size)[0],
    )
    set_aside.update(pixels.set_aside)
    for index, pixel_values in enumerate(pixels.images):
        image = percentile_to_model(
            np.asarray(upright(pixel_values, stack.patient_orientation), np.float32)
        )
        if not _shows(image):
            set_aside[Reason.BLANK] += 1
            continue
        mask = None
        if pixels.labels is not None:
            reduced_mask = resize_labels(pixels.labels[index][None], size)[0]
            upright_mask = np.ascontiguousarray(upright(reduced_mask, stack.patient_orientation))
            mask = pad_square(upright_mask[None], settings.image_size, 0)[0]
        label = labels.get(pixels.slices[index].path)
        yield Example(
            image=pad_square(image[None], settings.image_size, -1.0)[0],
            description=described(stack.description, label),
            mask=mask,
            report=_report(label, settings),
        )


def _shows(image: Image) -> bool:
    return float((image > _SHOWN_ABOVE).mean()) >= _MIN_SHOWN
