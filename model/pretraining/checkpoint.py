"""A training that was stopped goes on where it was: weights, optimizer, averages, time."""

from __future__ import annotations

import pickle
import zipfile
from collections.abc import Sequence
from pathlib import Path
from typing import Any, Protocol

import torch
from torch import nn

from ...common.files import replacing
from ...errors import DataError
from .averages import Averages
from .pace import Pace


class Stateful(Protocol):
    """Something whose state can be taken and given back, as optimizers' can."""

    def state_dict(self) -> dict[str, Any]:
        """What :meth:`load_state_dict` takes."""
        ...

    def load_state_dict(self, state: dict[str, Any], /) -> None:
        """Go on from what :meth:`state_dict` gave."""
        ...


class Checkpoint:
    """One file with the whole state of a training.

    Draws are not in it: each step's come from the seed and the step's number, so a training that
    was killed ends with the same bytes as one that was not, where its end is given in images.

    Args:
        path: The file.
        parameters: What is trained.
        optimizer: Its optimizer.
        averages: Its averages.
    """

    def __init__(
        self,
        path: Path,
        parameters: Sequence[nn.Parameter],
        optimizer: Stateful,
        averages: Averages,
    ) -> None:
        self.path = path
        self._parameters = list(parameters)
        self._optimizer = optimizer
        self._averages = averages

    def save(self, pace: Pace) -> None:
        """Write the state after the current step, whole or not at all."""
        self.path.parent.mkdir(parents=True, exist_ok=True)
        with replacing(self.path) as target:
            torch.save(
                {
                    "parameters": [each.detach() for each in self._parameters],
                    "optimizer": self._optimizer.state_dict(),
                    "averages": self._averages.state_dict(),
                    "step": pace.step + 1,
                    "seconds": pace.seconds,
                },
                target,
            )

    def restore(self, pace: Pace) -> None:
        """Go on from the file, if it is there.

        Raises:
            DataError: If it cannot be read, or is of another training.
        """
        if not self.path.exists():
            return
        try:
            state = torch.load(self.path, map_location="cpu", weights_only=True)
            with torch.no_grad():
                for own, from_file in zip(self._parameters, state["parameters"], strict=True):
                    own.copy_(from_file)
            self._optimizer.load_state_dict(state["optimizer"])
            self._averages.load_state_dict(state["averages"])
            pace.step, pace.seconds = int(state["step"]), float(state["seconds"])
        except (
            OSError,
            EOFError,
            KeyError,
            ValueError,
            RuntimeError,
            pickle.UnpicklingError,
            zipfile.BadZipFile,
        ) as error:
            raise DataError(
                f"{self.path} does not hold the state of this training.",
                hint="Delete it to begin this stage anew.",
            ) from error
