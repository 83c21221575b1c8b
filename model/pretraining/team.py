"""Several processes that pre-train one generator: each its own batches, all the same steps."""

from __future__ import annotations

import os
import time
from collections.abc import Iterable
from dataclasses import dataclass
from datetime import timedelta

import torch
from torch import Tensor, distributed, nn

#: How long the others wait while the first draws images and trains the autoencoder.
_PATIENCE = timedelta(days=3)


@dataclass(frozen=True, kw_only=True)
class Team:
    """The processes that torchrun started together; one alone without it.

    Attributes:
        rank: Number of this process; the first, 0, writes and reports.
        size: Number of processes.
    """

    rank: int = 0
    size: int = 1

    @classmethod
    def join(cls, device: str) -> Team:
        """Meet the other processes, if torchrun started any.

        Args:
            device: Where the processes compute; each takes its own GPU.
        """
        if int(os.environ.get("WORLD_SIZE", "1")) == 1:
            return cls()
        if device.startswith("cuda"):
            torch.cuda.set_device(int(os.environ["LOCAL_RANK"]))
        if not distributed.is_initialized():
            distributed.init_process_group(
                "nccl" if device.startswith("cuda") else "gloo", timeout=_PATIENCE
            )
        return cls(rank=distributed.get_rank(), size=distributed.get_world_size())

    @property
    def leads(self) -> bool:
        """Whether this process writes and reports."""
        return self.rank == 0

    def wait(self) -> None:
        """Go on when all are here."""
        if self.size > 1:
            distributed.barrier()

    def clock(self) -> float:
        """Return the first process' time in seconds, so that all end with the same step."""
        now = torch.tensor([time.monotonic()], dtype=torch.float64)
        if self.size > 1:
            now = now.cuda() if distributed.get_backend() == "nccl" else now
            distributed.broadcast(now, 0)
        return float(now)

    def average_gradients(self, parameters: Iterable[nn.Parameter]) -> None:
        """Replace every gradient by its mean over the processes; a missing one counts as zero."""
        if self.size == 1:
            return
        own = list(parameters)
        parts = [torch.zeros_like(p) if p.grad is None else p.grad for p in own]
        flat: Tensor = torch.cat([part.flatten() for part in parts])
        distributed.all_reduce(flat)
        means = (flat / self.size).split([part.numel() for part in parts])
        for parameter, mean in zip(own, means, strict=True):
            parameter.grad = mean.view_as(parameter)
