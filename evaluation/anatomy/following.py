"""How well generated anatomy follows the mask it was asked for: Dice and Hausdorff by MONAI."""

from __future__ import annotations

import warnings
from dataclasses import dataclass

import numpy as np
import torch
from monai.metrics import compute_dice, compute_hausdorff_distance
from numpy.typing import NDArray
from torch import Tensor
from torch.nn import functional

from ...model.conditions import MASK_CLASSES

#: An organ smaller than this share of the picture is not compared: a pixel more or less would
#: decide.
_SMALLEST = 0.003


@dataclass(frozen=True, kw_only=True)
class Following:
    """Agreement of found with given masks, by image and organ; NaN where the mask lacks it.

    Attributes:
        dice: ``[N, K]``, in the order of ``MASK_CLASSES``.
        hausdorff: 95th percentile of the surface distance in pixels ``[N, K]``; also NaN where
            the organ was not found at all.
    """

    dice: NDArray[np.float64]
    hausdorff: NDArray[np.float64]

    def by_image(self) -> NDArray[np.float64]:
        """Mean Dice over the organs of each image, ``[N]``; NaN where a mask has none."""
        return _mean_known(self.dice)

    def distance_by_image(self) -> NDArray[np.float64]:
        """Mean Hausdorff distance over the organs of each image, ``[N]``."""
        return _mean_known(self.hausdorff)


def follow(masks_found: NDArray[np.uint8], masks_given: NDArray[np.uint8]) -> Following:
    """Compare label maps ``[N, H, W]``."""
    one_hot_given, one_hot_found = _one_hot(masks_given), _one_hot(masks_found)
    present = (one_hot_given.mean(dim=(2, 3)) >= _SMALLEST).numpy()
    dice = (
        torch.as_tensor(compute_dice(one_hot_found, one_hot_given, include_background=True))
        .double()
        .numpy()
    )
    with warnings.catch_warnings():
        # MONAI speaks up for every organ that is absent: those are left out below.
        warnings.filterwarnings("ignore", message=".*always_return_as_numpy")  # its own call
        warnings.filterwarnings("ignore", message="the (ground truth|prediction) of class")
        distances = torch.as_tensor(
            compute_hausdorff_distance(
                one_hot_found, one_hot_given, include_background=True, percentile=95
            )
        )
    hausdorff = distances.double().numpy()
    return Following(
        dice=np.where(present, dice, np.nan),
        hausdorff=np.where(present & np.isfinite(hausdorff), hausdorff, np.nan),
    )


def _one_hot(masks: NDArray[np.uint8]) -> Tensor:
    classes = len(MASK_CLASSES) + 1
    hot = functional.one_hot(torch.from_numpy(masks).long(), classes)
    return hot.permute(0, 3, 1, 2)[:, 1:].float()


def _mean_known(values: NDArray[np.float64]) -> NDArray[np.float64]:
    present = ~np.isnan(values)
    sums = np.where(present, values, 0.0).sum(axis=1)
    counts = present.sum(axis=1)
    return np.divide(sums, counts, out=np.full(len(values), np.nan), where=counts > 0)
