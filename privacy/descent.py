"""Turning noised gradients into new weights. Nothing here touches data, so it costs no privacy."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Literal

import torch
from torch import Tensor, nn

from ..errors import PrivacyError


@dataclass(frozen=True, kw_only=True)
class DescentSettings:
    """How weights follow gradients.

    Attributes:
        learning_rate: Step size.
        optimizer: ``sgd``, ``momentum`` or ``adam``.
        momentum: Decay of the momentum optimizer's average.
        proximal_mu: FedProx (Li et al. 2018, arXiv:1812.06127): strength of the pull towards the
            starting weights; 0 for none.
        ema_decay: Decay of the moving average of the weights that is returned in place of the
            last ones; 0 for none.
    """

    learning_rate: float
    optimizer: Literal["sgd", "momentum", "adam"] = "adam"
    momentum: float = 0.9
    proximal_mu: float = 0.0
    ema_decay: float = 0.0

    def __post_init__(self) -> None:
        for name, good in (
            ("learning_rate", 0 < self.learning_rate < float("inf")),
            ("optimizer", self.optimizer in ("sgd", "momentum", "adam")),
            ("momentum", 0 <= self.momentum < 1),
            ("proximal_mu", 0 <= self.proximal_mu < float("inf")),
            ("ema_decay", 0 <= self.ema_decay < 1),
        ):
            if not good:
                raise PrivacyError(f"{name} is {getattr(self, name)!r}, which is out of range.")


class Descent:
    """Applies gradients to parameters, in place.

    Args:
        parameters: What trains.
        settings: How.
    """

    def __init__(self, parameters: Mapping[str, nn.Parameter], settings: DescentSettings) -> None:
        self._parameters = dict(parameters)
        self._settings = settings
        self._optimizer = _optimizer(list(parameters.values()), settings)
        self._start = self._copy() if settings.proximal_mu else {}
        self._average = self._copy() if settings.ema_decay else {}
        self._steps = 0

    def step(self, gradient: Tensor) -> None:
        """Take one step.

        Args:
            gradient: ``[D]``, the parameters' gradients one after the other.
        """
        sizes = [parameter.numel() for parameter in self._parameters.values()]
        for (name, parameter), part in zip(
            self._parameters.items(), gradient.split(sizes), strict=True
        ):
            parameter.grad = part.reshape(parameter.shape).to(parameter.dtype).to(parameter.device)
            if self._start:
                # The gradient of mu / 2 * |w - start|^2, exact and free of data.
                away = parameter.detach() - self._start[name]
                parameter.grad.add_(away, alpha=self._settings.proximal_mu)
        self._optimizer.step()
        self._optimizer.zero_grad(set_to_none=True)
        self._steps += 1
        if self._average:
            # The average must not cling to the start in short runs.
            decay = min(self._settings.ema_decay, (1 + self._steps) / (10 + self._steps))
            for name, parameter in self._parameters.items():
                self._average[name].lerp_(parameter.detach(), 1 - decay)

    def result(self) -> dict[str, Tensor]:
        """Return copies of the new weights: their moving average where one was asked for."""
        return {name: value.clone() for name, value in self._average.items()} or self._copy()

    def _copy(self) -> dict[str, Tensor]:
        return {name: value.detach().clone() for name, value in self._parameters.items()}


def _optimizer(parameters: list[nn.Parameter], settings: DescentSettings) -> torch.optim.Optimizer:
    if settings.optimizer == "adam":
        return torch.optim.Adam(parameters, lr=settings.learning_rate, fused=True)
    momentum = settings.momentum if settings.optimizer == "momentum" else 0.0
    return torch.optim.SGD(parameters, lr=settings.learning_rate, momentum=momentum)
