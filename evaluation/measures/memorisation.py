"""Are synthetic images closer to training images than unseen patients are?

Compared are the distances from synthetic images and from real held-out images to their
nearest training image. A ratio well below 1 hints at copies. It is a hint: the guarantee
is the privacy budget, and no nearest-neighbour test can prove that nothing leaked.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor
from torch.nn import functional

from .results import Memorisation

#: Pixels are compared at this side length: fine enough for anatomy, blind to single pixels.
_PIXELS = 32
#: "Closer than" is counted against this quantile of the held-out images' distances.
_QUANTILE = 0.05


@dataclass(frozen=True, kw_only=True)
class Nearest:
    """Distances of images to their nearest training image.

    Attributes:
        distances: ``[N]``.
        indices: Which training image it is, ``[N]``.
    """

    distances: Tensor
    indices: Tensor


def pixel_vectors(images: NDArray[np.float32]) -> Tensor:
    """Images ``[N, H, W]`` shrunk to 32 pixels and scaled so that distances are RMS values."""
    stack = torch.from_numpy(np.ascontiguousarray(images))[:, None]
    small = functional.interpolate(stack, size=_PIXELS, mode="bilinear", antialias=True)
    return small.flatten(1) / _PIXELS


def nearest(queries: Tensor, train: Tensor) -> Nearest:
    """Find the nearest training vector of each query; Euclidean.

    Args:
        queries: ``[N, D]``.
        train: ``[M, D]``.
    """
    parts = [torch.cdist(batch, train).min(dim=1) for batch in queries.split(256)]
    return Nearest(
        distances=torch.cat([part.values for part in parts]),
        indices=torch.cat([part.indices for part in parts]),
    )


def compare(
    *,
    feature: Nearest,
    feature_holdout: Nearest,
    pixel: Nearest,
    pixel_holdout: Nearest,
    train_count: int,
) -> Memorisation:
    """Compare the distances of synthetic images with those of held-out images.

    Args:
        feature: Of synthetic images, in feature space.
        feature_holdout: Of held-out images, in feature space.
        pixel: Of synthetic images, in pixel space.
        pixel_holdout: Of held-out images, in pixel space.
        train_count: Number of training images searched.
    """
    return Memorisation(
        feature_ratio=_ratio(feature, feature_holdout),
        pixel_ratio=_ratio(pixel, pixel_holdout),
        feature_close_share=_close_share(feature, feature_holdout),
        pixel_close_share=_close_share(pixel, pixel_holdout),
        close_quantile=_QUANTILE,
        searched=train_count,
    )


def _ratio(synthetic: Nearest, holdout: Nearest) -> float:
    return float(synthetic.distances.median() / holdout.distances.median().clamp_min(1e-9))


def _close_share(synthetic: Nearest, holdout: Nearest) -> float:
    threshold = torch.quantile(holdout.distances, _QUANTILE)
    return float((synthetic.distances < threshold).float().mean())
