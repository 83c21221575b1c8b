"""One series of scans becomes training examples."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from ...model.conditions import LABEL
from ...model.description import Description
from ...model.example import Example
from ...model.intensity import percentile_to_model
from ..dicom.decode import Image, decode_slices
from ..dicom.geometry import slice_step
from ..dicom.index import Series, Slice, Stack
from ..dicom.segmentation import Segmentation, read_segmentation
from ..dicom.set_aside import Reason, SetAsideError
from ..settings import DataSettings
from .position import region_positions
from .reformat import Pictures, can_reformat, native_pictures, reformatted_pictures
from .resample import fitted_size, pad_square, resize_images, resize_labels
from .upright import upright

#: A picture shows something if at least this share of it is brighter than this model value.
_MIN_SHOWN, _SHOWN_ABOVE = 0.01, -0.8


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
) -> SeriesExamples:
    """Decode one series and turn it into examples.

    Args:
        folder: The site's folder.
        series: A series of the site's index.
        settings: Image size, planes and limits.
        segmentation: Reads a segmentation file; one that remembers spares a patient's other
            series reading it again.

    Returns:
        The examples, in anatomical order within each stack.
    """
    result = SeriesExamples()
    segmentations = _segmentations(folder, series, segmentation, result.set_aside)
    for stack, chosen in _spread(series.stacks, settings.max_slices_per_series):
        build = _volume_examples if stack.is_volume else _projection_examples
        result.examples.extend(
            build(folder, stack, chosen, segmentations, settings, result.set_aside)
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
    chosen = {id(every[index][1]) for index in evenly(len(every), limit)}
    for stack in stacks:
        if slices := [item for item in stack.slices if id(item) in chosen]:
            yield stack, slices


def _segmentations(
    folder: Path,
    series: Series,
    segmentation: Callable[[Path], Segmentation],
    set_aside: Counter[Reason],
) -> list[Segmentation]:
    found = []
    for path in series.segmentations:
        try:
            found.append(segmentation(folder / path))
        except SetAsideError as error:
            set_aside[error.reason] += 1
    return found


def _volume_examples(
    folder: Path,
    stack: Stack,
    chosen: list[Slice],
    segmentations: list[Segmentation],
    settings: DataSettings,
    set_aside: Counter[Reason],
) -> Iterator[Example]:
    planes = [item.plane for item in stack.slices if item.plane is not None]
    step = slice_step(planes)
    reformat = settings.planes == "all" and can_reformat(planes)
    shape, spacing = stack.shape, stack.spacing
    if reformat:
        extent = (planes[-1].depth - planes[0].depth) / step + 1
        sizes, pixel = fitted_size((round(extent), *shape), (step, *spacing), settings.image_size)
        size = sizes[1:]
    else:
        size, pixel = fitted_size(shape, spacing, settings.image_size)
    decoded = decode_slices(
        folder,
        stack.slices if reformat else chosen,
        shape,
        segmentations,
        values="displayed" if stack.window is not None else "physical",
        reduce=lambda image: resize_images(image[None], size)[0],
    )
    set_aside.update(decoded.set_aside)
    if not decoded.images:
        return
    hounsfield = stack.description.modality == "CT"
    if reformat and len(decoded.images) > 1:
        every = reformatted_pictures(
            decoded,
            hounsfield=hounsfield,
            spacing=(pixel, pixel),
            image_size=settings.image_size,
        )
    else:
        wide = step * len(stack.slices) / len(decoded.images)
        every = [native_pictures(decoded, hounsfield=hounsfield, step=wide)]
    lesions = any(segmentation.declares_lesions for segmentation in segmentations)
    # Cuts through the air beside the patient are no loss; blank files are worth a count.
    blank = Counter[Reason]() if reformat else set_aside
    for pictures in every:
        yield from _examples(
            pictures, stack.description, lesions, len(chosen), settings.image_size, blank
        )


def _examples(
    pictures: Pictures,
    description: Description,
    lesions_declared: bool,
    limit: int,
    image_size: int,
    blank: Counter[Reason],
) -> Iterator[Example]:
    shown = np.array([_shows(image) for image in pictures.images])
    positions = region_positions(
        pictures.heights,
        shown,
        plane=pictures.plane,
        body_part=description.body_part,
        margin=pictures.step / 2,
    )
    with_content = np.flatnonzero(shown)
    if not shown.all():
        blank[Reason.BLANK] += int((~shown).sum())
    chosen = with_content[evenly(len(with_content), limit)]
    images = pad_square(pictures.images[chosen], image_size, -1.0)
    labels = None
    if pictures.labels is not None:
        labels = pad_square(pictures.labels[chosen], image_size, 0)
    for index, position in enumerate(positions[chosen]):
        mask = None if labels is None else labels[index]
        shown_here = replace(description, plane=pictures.plane)
        if mask is not None and lesions_declared:
            shown_here = shown_here.with_lesion(bool((mask == LABEL["lesion"]).any()))
        yield Example(
            image=images[index],
            description=shown_here,
            position=float(position),
            mask=mask,
        )


def _projection_examples(
    folder: Path,
    stack: Stack,
    chosen: list[Slice],
    segmentations: list[Segmentation],
    settings: DataSettings,
    set_aside: Counter[Reason],
) -> Iterator[Example]:
    size, _ = fitted_size(stack.shape, stack.spacing, settings.image_size)
    decoded = decode_slices(
        folder,
        chosen,
        stack.shape,
        segmentations,
        values="displayed",
        reduce=lambda image: resize_images(image[None], size)[0],
    )
    set_aside.update(decoded.set_aside)
    for index, reduced in enumerate(decoded.images):
        image = percentile_to_model(
            np.asarray(upright(reduced, stack.patient_orientation), np.float32)
        )
        if not _shows(image):
            set_aside[Reason.BLANK] += 1
            continue
        mask = None
        if decoded.labels is not None:
            labels = resize_labels(decoded.labels[index][None], size)[0]
            turned = np.ascontiguousarray(upright(labels, stack.patient_orientation))
            mask = pad_square(turned[None], settings.image_size, 0)[0]
        yield Example(
            image=pad_square(image[None], settings.image_size, -1.0)[0],
            description=stack.description,
            mask=mask,
        )


def _shows(image: Image) -> bool:
    return float((image > _SHOWN_ABOVE).mean()) >= _MIN_SHOWN
