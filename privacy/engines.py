"""Choosing how per-patient gradients are computed."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Literal

from torch import nn

from ..errors import PrivacyError
from .gradients import LoopGradients, PatientGradients, PatientLoss

Engine = Literal["auto", "loop"]


def choose_engine(
    engine: Engine, parameters: Mapping[str, nn.Parameter], loss: PatientLoss
) -> PatientGradients:
    """Return the engine of that name."""
    if engine in ("auto", "loop"):
        return LoopGradients()
    raise PrivacyError(f"There is no engine {engine!r}.")
