"""Distances between two sets of features: Fréchet and kernel.

Fréchet: Heusel et al. 2017, arXiv 1706.08500. Kernel: Bińkowski et al. 2018, arXiv
1801.01401. Both by torchmetrics.

With fewer images than feature dimensions the estimated Fréchet distance is biased upwards,
more for fewer images: compare only values of equal counts, and read them beside the value
of real training images. The kernel distance is unbiased at any count.
"""

from __future__ import annotations

import warnings

import torch
from torch import Tensor, nn
from torchmetrics.image.fid import FrechetInceptionDistance
from torchmetrics.image.kid import KernelInceptionDistance

from ...errors import DataError


class _Features(nn.Module):
    """Lets a torchmetrics metric take features where it expects images."""

    def __init__(self, dimension: int) -> None:
        super().__init__()
        self.num_features = dimension

    def forward(self, features: Tensor) -> Tensor:
        return features


def frechet_distance(real: Tensor, synthetic: Tensor) -> float:
    """Squared Fréchet distance of the Gaussians fitted to two sets of features.

    Args:
        real: ``[N, D]``, N at least 2.
        synthetic: ``[M, D]``, M at least 2.

    Raises:
        DataError: If a set has fewer than two images.
    """
    _check(real, synthetic)
    metric = FrechetInceptionDistance(feature=_Features(real.shape[1])).set_dtype(torch.float64)
    metric.update(real.double(), real=True)
    metric.update(synthetic.double(), real=False)
    return max(0.0, float(metric.compute()))


def kernel_distance(
    real: Tensor, synthetic: Tensor, *, seed: int, subsets: int = 50, subset_size: int = 100
) -> tuple[float, float]:
    """Squared maximum mean discrepancy with the cubic kernel ``(x·y / D + 1)^3``.

    Args:
        real: ``[N, D]``.
        synthetic: ``[M, D]``.
        seed: Seed of the random subsets.
        subsets: Number of subset pairs averaged over.
        subset_size: Images per subset; fewer if a set has fewer.

    Returns:
        Mean and standard deviation over the subsets. Unbiased, hence it can be negative.

    Raises:
        DataError: If a set has fewer than two images.
    """
    _check(real, synthetic)
    size = min(subset_size, len(real), len(synthetic))
    with warnings.catch_warnings():
        warnings.filterwarnings("ignore", "Metric `Kernel Inception Distance` will save all")
        metric = KernelInceptionDistance(
            feature=_Features(real.shape[1]), subsets=subsets, subset_size=size
        )
    metric.update(real.double(), real=True)
    metric.update(synthetic.double(), real=False)
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(seed)
        mean, deviation = metric.compute()
    return float(mean), float(deviation)


def _check(real: Tensor, synthetic: Tensor) -> None:
    if min(len(real), len(synthetic)) < 2:
        raise DataError(
            f"A distance needs two images on either side, not {len(real)} and {len(synthetic)}."
        )
