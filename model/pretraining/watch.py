"""What is told while a base is trained: how far it is, and its loss by noise level."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import torch
from torch import Tensor

from .pace import Pace

#: Equal parts of the noise schedule for which the loss is told apart.
LEVELS = 4
_REMEMBERED = 0.98


@dataclass(frozen=True, kw_only=True)
class Report:
    """Where a stage of training is.

    Attributes:
        stage: ``autoencoder`` or ``denoiser``.
        images: Images seen, each time one is seen.
        share: How much of the stage is over, 0 to 1.
        loss: Mean of the last steps. The autoencoder's is minus its PSNR in dB.
        by_level: The same for each quarter of the noise schedule, little noise first; empty for
            the autoencoder.
    """

    stage: str
    images: int
    share: float
    loss: float
    by_level: tuple[float, ...] = ()


class Watch:
    """Means of losses over the last steps.

    Args:
        tell: Called after every step.
        timesteps: Timesteps of the noise schedule.
    """

    def __init__(self, tell: Callable[[Report], None], timesteps: int) -> None:
        self._tell = tell
        self._timesteps = timesteps
        self._sums = torch.zeros(LEVELS)
        self._counts = torch.zeros(LEVELS)

    def rebuilt(self, pace: Pace, loss: float) -> None:
        """Take in a step of the autoencoder."""
        self._add(torch.zeros(1, dtype=torch.long), torch.tensor([loss]))
        self._tell(self._report("autoencoder", pace, ()))

    def denoised(self, pace: Pace, losses: Tensor, timesteps: Tensor) -> None:
        """Take in a step of the denoiser: losses ``[B]`` at timesteps ``[B]``."""
        self._add(timesteps * LEVELS // self._timesteps, losses.float().cpu())
        levels = (self._sums / self._counts.clamp_min(1e-9)).tolist()
        self._tell(self._report("denoiser", pace, tuple(levels)))

    def _add(self, levels: Tensor, losses: Tensor) -> None:
        self._sums *= _REMEMBERED
        self._counts *= _REMEMBERED
        self._sums.index_add_(0, levels, losses)
        self._counts.index_add_(0, levels, torch.ones_like(losses))

    def _report(self, stage: str, pace: Pace, by_level: tuple[float, ...]) -> Report:
        return Report(
            stage=stage,
            images=(pace.step + 1) * pace.batch,
            share=min(1.0, pace.share_done),
            loss=float(self._sums.sum() / self._counts.sum()),
            by_level=by_level,
        )
