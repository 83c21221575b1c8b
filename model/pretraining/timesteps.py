"""Which noise levels a base is trained on: mostly those at which structure is decided."""

from __future__ import annotations

import torch
from torch import Tensor

from ..generator import Generator
from ..objective import num_train_timesteps

#: Mean and deviation of the logarithm of the signal-to-noise ratio. Latents agree over many
#: cells, so the middle lies at more noise than signal.
_MEAN, _DEVIATION = -1.0, 2.0
#: Share of the draws from the whole schedule, so that its ends are not forgotten.
_EVEN = 0.15


def central_timesteps(
    generator: Generator, count: int, draws: torch.Generator, *, shift: float = 0.0
) -> Tensor:
    """Draw timesteps whose log signal-to-noise ratio is normal (Hang et al., arXiv 2407.03297).

    Args:
        generator: Whose noise schedule it is.
        count: How many.
        draws: Where the randomness comes from.
        shift: What is added to the mean of the logarithm.

    Returns:
        Long ``[count]``.
    """
    signal = generator.scheduler.alphas_cumprod.double().clamp(1e-9, 1 - 1e-9)
    ratios = torch.log(signal / (1 - signal))  # falls with the timestep
    targets = _MEAN + shift + _DEVIATION * torch.randn(count, generator=draws, dtype=torch.float64)
    central = torch.searchsorted(-ratios, -targets).clamp_max(len(ratios) - 1)
    even = torch.randint(num_train_timesteps(generator), (count,), generator=draws)
    return torch.where(torch.rand(count, generator=draws) < _EVEN, even, central)
