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
    engine: Engine, parameters: Mapping[str, nn.Parameter], loss: PatientLoss
) -> PatientGradients:
    """Return the engine of a name, or the fastest that can handle the loss.

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
    on_cpu = next(iter(parameters.values())).device.type == "cpu"
    return LayerwiseGradients(_ROWS_ON_CPU if on_cpu else _ROWS_ON_GPU)
