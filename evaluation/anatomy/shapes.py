"""What a label map says in numbers: how much of each organ, in how many pieces, and where."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray
from scipy import ndimage

from ...model.conditions import LABEL, MASK_CLASSES
from ...model.description import Description

#: Lesions can be anywhere: they count as the organ that they lie in.
ORGANS = tuple(name for name in MASK_CLASSES if name != "lesion")
#: Per organ, in this order.
QUANTITIES = ("area", "pieces", "row", "column", "asymmetry")
#: All numbers of one image: five per organ, then the area of the whole and the doubt.
FEATURES = (
    *(f"{organ} {quantity}" for organ in ORGANS for quantity in QUANTITIES),
    "whole area",
    "doubt",
)
#: Smaller pieces, as a share of the picture, are taken for noise of the segmentation.
_SMALLEST = 0.002


def shape_features(
    masks: NDArray[np.uint8], doubt: NDArray[np.float32], descriptions: list[Description]
) -> NDArray[np.float64]:
    """Describe segmented images.

    Areas are shares of the picture. Rows and columns are of the organ's centre, from the
    centre of the whole in units of its size. Asymmetry is left less right about the centre of
    the whole, as a share of both, in views that show two sides.

    Args:
        masks: Label maps ``[N, H, W]``.
        doubt: The segmenter's doubt ``[N]``.
        descriptions: What each image shows.

    Returns:
        ``[N, F]`` in the order of :data:`FEATURES`; NaN where an organ is absent or a view
        shows one side only.
    """
    rows = [
        [*_organs(mask, two_sided(description)), float(np.mean(mask > 0)), float(own)]
        for mask, own, description in zip(masks, doubt, descriptions, strict=True)
    ]
    return np.array(rows, np.float64).reshape(len(rows), len(FEATURES))


def two_sided(description: Description) -> bool:
    """Whether a picture's two halves are the patient's right and left."""
    return description.plane in ("axial", "coronal") or description.view in ("PA", "AP")


def without_lesions(mask: NDArray[np.uint8]) -> NDArray[np.uint8]:
    """Give lesions the label of the nearest organ."""
    lesion = mask == LABEL["lesion"]
    if not lesion.any() or lesion.all():
        return mask
    nearest = ndimage.distance_transform_edt(lesion, return_distances=False, return_indices=True)
    anatomy: NDArray[np.uint8] = mask[tuple(nearest)]
    return anatomy


def _organs(mask: NDArray[np.uint8], sides: bool) -> list[float]:
    mask = without_lesions(mask)
    whole = np.argwhere(mask > 0)
    centre = whole.mean(axis=0) if len(whole) else np.zeros(2)
    size = max(np.sqrt(len(whole)), 1.0)
    smallest = max(2.0, _SMALLEST * mask.size)
    values: list[float] = []
    for organ in ORGANS:
        own = mask == LABEL[organ]
        labels, count = ndimage.label(own)
        sizes = np.bincount(labels.ravel())[1:] if count else np.empty(0)
        pieces = int(np.sum(sizes >= smallest))
        if not pieces:
            values += [float(own.mean()), 0.0, np.nan, np.nan, np.nan]
            continue
        places = np.argwhere(own)
        row, column = (places.mean(axis=0) - centre) / size
        # The picture's left half is the patient's right.
        left = float(np.sum(places[:, 1] > centre[1]))
        right = float(np.sum(places[:, 1] < centre[1]))
        asymmetry = (left - right) / max(left + right, 1.0) if sides else np.nan
        values += [float(own.mean()), float(pieces), float(row), float(column), asymmetry]
    return values
