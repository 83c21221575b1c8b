"""The slice position as a continuous condition."""

from __future__ import annotations

import math

import torch
from torch import Tensor

_FREQUENCIES = 16
#: Length of the vector that stands for one position.
POSITION_FEATURES = 2 * _FREQUENCIES
_HIGHEST = 32.0


def position_features(position: Tensor) -> Tensor:
    """Expand slice positions to Fourier features (Tancik et al., arXiv 2006.10739).

    Args:
        position: ``[B]``, in [0, 1] within the body region.

    Returns:
        ``[B, POSITION_FEATURES]``: sines and cosines from half a turn per region to 16 turns,
        so that neighbouring slices get nearby vectors and distant ones differ.
    """
    exponents = torch.linspace(0.0, 1.0, _FREQUENCIES, device=position.device)
    angles = position[:, None] * (math.pi * _HIGHEST**exponents)[None, :]
    return torch.cat([angles.sin(), angles.cos()], dim=1)
