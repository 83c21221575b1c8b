"""Images moved at random: what a classifier and a segmenter see of the same image each time."""

from __future__ import annotations

import math

import torch
from torch import Tensor
from torch.nn import functional


def random_grid(shape: torch.Size, *, degrees: float, share: float) -> Tensor:
    """Draw a turn, a scale and a shift for each image; never a mirror image: sides matter.

    Args:
        shape: Of the images, ``[N, C, H, W]``.
        degrees: Largest turn to either side.
        share: Largest change of the scale, and largest shift as a share of the image.

    Returns:
        Where each pixel is taken from, for :func:`torch.nn.functional.grid_sample` without
        aligned corners, ``[N, H, W, 2]``.
    """
    count = shape[0]
    angle = torch.empty(count).uniform_(-degrees, degrees) * (math.pi / 180)
    scale = torch.empty(count).uniform_(1 - share, 1 + share)
    cos, sin = scale * torch.cos(angle), scale * torch.sin(angle)
    shift = torch.empty(count, 2).uniform_(-2 * share, 2 * share)  # the grid spans 2
    matrix = torch.stack(
        [torch.stack([cos, -sin, shift[:, 0]], 1), torch.stack([sin, cos, shift[:, 1]], 1)], 1
    )
    return functional.affine_grid(matrix, list(shape), align_corners=False)
