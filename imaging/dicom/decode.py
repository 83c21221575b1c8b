"""The pixels and masks of a stack's slices, each reduced to its final size as it is read."""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from .decoding.codecs import safe_frames
from .pixels import Values
from .segmentation import Labels, Segmentation, merge_labels
from .set_aside import Reason, SetAsideError
from .stacks.stack import Slice

Image = NDArray[np.float32]


@dataclass(frozen=True, eq=False)
class Decoded:
    """What could be read of some slices, in their order.

    Attributes:
        slices: The slices that could be read.
        images: One reduced image per slice.
        labels: One full-size label map per slice, or ``None`` without segmentations.
        set_aside: Files that could not be read, by reason.
    """

    slices: list[Slice]
    images: list[Image]
    labels: list[Labels] | None
    set_aside: Counter[Reason]


def decode_slices(
    folder: Path,
    slices: Sequence[Slice],
    shape: tuple[int, int],
    segmentations: Sequence[Segmentation],
    *,
    values: Values,
    reduce: Callable[[Image], Image],
) -> Decoded:
    """Decode slices file by file; a file that cannot be decoded is counted and left out.

    Args:
        folder: The site's folder.
        slices: Slices of one stack.
        shape: Rows and columns that their header promises.
        segmentations: Segmentations of their series.
        values: What the pixels should stand for.
        reduce: Shrinks one image ``[rows, columns]``, so that a series of any length fits
            into memory.
    """
    by_path: dict[str, list[int]] = defaultdict(list)
    for index, item in enumerate(slices):
        by_path[item.path].append(index)
    images: dict[int, Image] = {}
    set_aside: Counter[Reason] = Counter()
    for path, indices in by_path.items():
        indices.sort(key=lambda index: slices[index].frame)
        frames = [slices[index].frame for index in indices]
        try:
            is_compressed = slices[indices[0]].compressed
            pictures = safe_frames(folder / path, frames, values, compressed=is_compressed)
            for index, image in zip(indices, pictures, strict=True):
                if image.shape != shape or not np.isfinite(image).all():
                    raise SetAsideError(Reason.BROKEN)
                images[index] = reduce(image)
        except SetAsideError as error:
            set_aside[error.reason] += 1
    usable = [slices[index] for index in sorted(images)]
    return Decoded(
        slices=usable,
        images=[images[index] for index in sorted(images)],
        labels=[_labels(item, shape, segmentations) for item in usable] if segmentations else None,
        set_aside=set_aside,
    )


def _labels(item: Slice, shape: tuple[int, int], segmentations: Sequence[Segmentation]) -> Labels:
    labels = np.zeros(shape, np.uint8)
    for segmentation in segmentations:
        merge_labels(labels, segmentation.on(item.plane, item.sop_uid, shape))
    return labels
