"""The optimizer of the denoiser: matrices are turned, everything else is scaled."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import torch
from torch import nn

#: Decay of weights at each step, as a share of the learning rate.
_MATRIX_DECAY = 0.01
_OTHER_DECAY = 1e-4


class MuonAndAdam:
    """Muon for matrices (Jordan et al., kellerjordan.github.io/posts/muon), AdamW for the rest.

    A convolution's kernel counts as a matrix of its output channels by all else. Steps of both are
    of one size at one learning rate (Liu et al., arXiv 2502.16982).

    Args:
        parameters: What is trained.
        ends: Those of the first and last layers; they are AdamW's, like biases and norms.
        learning_rate: That of the first step.
    """

    def __init__(
        self, parameters: Sequence[nn.Parameter], ends: Sequence[nn.Parameter], learning_rate: float
    ) -> None:
        at_ends = {id(each) for each in ends}
        self._kernels = [each for each in parameters if each.ndim > 1 and id(each) not in at_ends]
        kernels = {id(each) for each in self._kernels}
        rest = [each for each in parameters if id(each) not in kernels]
        #: The kernels' own memory, seen as matrices.
        self._matrices = [nn.Parameter(each.detach().flatten(1)) for each in self._kernels]
        muon = torch.optim.Muon(
            self._matrices,
            lr=learning_rate,
            weight_decay=_MATRIX_DECAY,
            adjust_lr_fn="match_rms_adamw",
        )
        adam = torch.optim.AdamW(rest, lr=learning_rate, weight_decay=_OTHER_DECAY)
        self._optimizers: list[torch.optim.Optimizer] = [muon, adam]

    def zero_grad(self) -> None:
        """Forget the gradients."""
        for each in (*self._kernels, *self._matrices):
            each.grad = None
        self._optimizers[1].zero_grad()

    def step(self, learning_rate: float) -> None:
        """Move the weights along their gradients."""
        for kernel, matrix in zip(self._kernels, self._matrices, strict=True):
            matrix.grad = None if kernel.grad is None else kernel.grad.flatten(1)
        for optimizer in self._optimizers:
            optimizer.param_groups[0]["lr"] = learning_rate
            optimizer.step()

    def state_dict(self) -> dict[str, Any]:
        """What :meth:`load_state_dict` takes."""
        muon, adam = self._optimizers
        return {"muon": muon.state_dict(), "adam": adam.state_dict()}

    def load_state_dict(self, state: dict[str, Any]) -> None:
        """Go on from what :meth:`state_dict` gave.

        Raises:
            KeyError: If it is the state of another optimizer.
            ValueError: If it is that of other parameters.
        """
        for optimizer, name in zip(self._optimizers, ("muon", "adam"), strict=True):
            optimizer.load_state_dict(state[name])
