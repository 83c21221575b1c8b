"""Choosing how per-patient gradients are computed."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Literal

from torch import nn

from ..errors import PrivacyError
from .distributed.gradients import DistributedGradients
from .distributed.link import Link
from .gradients import (
    LoopGradients,
    PatientGradients,
    PatientLoss,
    RowGradients,
    RowLosses,
)
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
    link: Link | None = None,
) -> PatientGradients:
    """Return the engine of a name, or the fastest that can handle the loss.

    Args:
        engine: Its name.
        parameters: What trains.
        loss: Loss of one patient.
        rows_at_once: Rows of one pass at most; of whole patients, and of one at least.
        link: To the processes of further devices, if patients are shared out to any; the engine
            must be ``auto`` then.

    Raises:
        PrivacyError: If there is no engine of that name.
    """
    if engine not in ("auto", "loop", "layerwise"):
        raise PrivacyError(
            f"There is no engine {engine!r}.", hint="Choose auto, loop or layerwise."
        )
    if link is not None:
        return DistributedGradients(choose_row_engine(parameters, loss, rows_at_once), link)
    if engine == "auto":
        return choose_row_engine(parameters, loss, rows_at_once)
    return LoopGradients() if engine == "loop" else _layerwise(parameters, rows_at_once)


def choose_row_engine(
    parameters: Mapping[str, nn.Parameter],
    loss: PatientLoss | RowLosses,
    rows_at_once: int | None = None,
) -> RowGradients:
    """Return the fastest engine that can handle a loss.

    Args:
        parameters: What trains.
        loss: Its loss.
        rows_at_once: Rows of one pass at most; of whole patients, and of one at least.
    """
    suits = LayerwiseGradients.supports(parameters, loss)
    return _layerwise(parameters, rows_at_once) if suits else LoopGradients()


def _layerwise(
    parameters: Mapping[str, nn.Parameter], rows_at_once: int | None
) -> LayerwiseGradients:
    device = next(iter(parameters.values())).device.type
    return LayerwiseGradients(rows_at_once or most_rows(device))


def most_rows(device: str) -> int:
    """Return how many rows keep a kind of device busy.

    Args:
        device: As PyTorch names it.
    """
    return _ROWS_ON_CPU if device.startswith("cpu") else _ROWS_ON_GPU
