"""The optimizer of a joint study, which is at the coordinator: one step for each sum.

It is the optimizer that the study names for local training (``local.optimizer``), with a state that
lasts over rounds and goes into the checkpoint.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import nn

from ...federation.protocol import Tensors
from ..aggregation import require_finite_model


class JointDescent:
    """Applies mean gradients to the model.

    Args:
        model: The tensors to begin with.
        optimizer: ``sgd``, ``momentum`` or ``adam``.
        learning_rate: Step size.
        momentum: Decay of the momentum optimizer's average.
        state: From :meth:`state`; empty before the first step.
    """

    def __init__(
        self,
        model: Tensors,
        state: Mapping[str, NDArray[Any]],
        *,
        optimizer: str,
        learning_rate: float,
        momentum: float,
    ) -> None:
        self._parameters = {
            name: nn.Parameter(torch.from_numpy(np.array(model[name]))) for name in sorted(model)
        }
        parameters = list(self._parameters.values())
        self._optimizer: torch.optim.Optimizer
        if optimizer == "adam":
            self._optimizer = torch.optim.Adam(parameters, lr=learning_rate)
        else:
            decay = momentum if optimizer == "momentum" else 0.0
            self._optimizer = torch.optim.SGD(parameters, lr=learning_rate, momentum=decay)
        for key, value in state.items():
            slot, name = key.split("/", 1)
            slots = self._optimizer.state[self._parameters[name]]
            slots[slot] = torch.from_numpy(np.array(value))

    def step(self, number: int, gradient: NDArray[np.float64]) -> dict[str, NDArray[Any]]:
        """Return the next model.

        Args:
            number: The round, for the error.
            gradient: Noised mean gradient, float64 ``[D]``: of the tensors in the order of their
                names, one after the other.

        Raises:
            RoundFailedError: If a value of the next model is not finite.
        """
        parts = torch.from_numpy(gradient).split([p.numel() for p in self._parameters.values()])
        for parameter, part in zip(self._parameters.values(), parts, strict=True):
            parameter.grad = part.reshape(parameter.shape).to(parameter)
        self._optimizer.step()
        model = {name: value.detach().numpy().copy() for name, value in self._parameters.items()}
        require_finite_model(model, f"The model of round {number}", rate="local.learning_rate")
        return model

    def state(self) -> dict[str, NDArray[Any]]:
        """Return what the next step depends on, as tensors by name."""
        return {
            f"{slot}/{name}": value.detach().numpy().copy()
            for name, parameter in self._parameters.items()
            for slot, value in self._optimizer.state[parameter].items()
            if isinstance(value, torch.Tensor)
        }
