"""Choosing how per-patient gradients are computed."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Literal

from torch import nn

from ..errors import PrivacyError
from .gradients import LoopGradients, PatientGradients, PatientLoss
from .layerwise import LayerwiseGradients

#: ``auto`` takes ``layerwise`` wherever it can be used: ``benchmarks/dp_step.py`` compares them.
Engine = Literal["auto", "loop", "layerwise"]

#: Rows of one pass: enough to keep the processor busy, and no more, for memory grows with them.
_ROWS_ON_CPU = 32
_ROWS_ON_GPU = 512


def choose_engine(
    engine: Engine,
    parameters: Mapping[str, nn.Parameter],
    loss: PatientLoss,
    rows_at_once: int | None = None,
) -> PatientGradients:
    """Return the engine of a name, or the fastest that can handle the loss.

    Args:
        engine: Its name.
        parameters: What trains.
        loss: Loss of one patient.
        rows_at_once: Rows of one pass at most; of whole patients, and of one at least.

    Raises:
        PrivacyError: If there is no engine of that name.
    """
    if engine not in ("auto", "loop", "layerwise"):
        raise PrivacyError(
            f"There is no engine {engine!r}.", hint="Choose auto, loop or layerwise."
        )
    suits = LayerwiseGradients.supports(parameters, loss)
    if engine == "loop" or (engine == "auto" and not suits):
        return LoopGradients()
    device = next(iter(parameters.values())).device.type
    return LayerwiseGradients(rows_at_once or most_rows(device))


def most_rows(device: str) -> int:
    """Return how many rows keep a kind of device busy.

    Args:
        device: As PyTorch names it.
    """
    return _ROWS_ON_CPU if device.startswith("cpu") else _ROWS_ON_GPU
