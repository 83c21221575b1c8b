"""How one site trains within one round."""

from __future__ import annotations

from typing import Literal

from pydantic import ConfigDict, Field, model_validator
from pydantic.dataclasses import dataclass


@dataclass(frozen=True, config=ConfigDict(extra="forbid", allow_inf_nan=False))
class LocalSettings:
    """How one site trains within one round."""

    steps: int = Field(default=6, ge=1, le=100_000, description="Optimizer steps per round.")
    learning_rate: float = Field(
        default=8e-3,
        gt=0.0,
        le=10.0,
        description="Learning rate. The default suits LoRA; whole layers (`attention`, `adapters`, "
        "`all`) want about an eighth of it.",
    )
    optimizer: Literal["sgd", "momentum", "adam"] = Field(
        default="adam", description="Optimizer applied to the (noised) gradient."
    )
    momentum: float = Field(
        default=0.9, ge=0.0, lt=1.0, description="Momentum; used by the momentum optimizer only."
    )
    proximal_mu: float = Field(
        default=0.0,
        ge=0.0,
        le=100.0,
        description="FedProx: strength of the pull towards the round's global weights.",
    )
    ema_decay: float = Field(
        default=0.0,
        ge=0.0,
        lt=1.0,
        description="Decay of the moving average of weights within a round; 0 sends the last ones.",
    )
    timestep_low: float = Field(
        default=0.0,
        ge=0.0,
        le=1.0,
        description="Lowest trained timestep, as a share of the noise schedule.",
    )
    timestep_high: float = Field(
        default=1.0,
        ge=0.0,
        le=1.0,
        description="Highest trained timestep, as a share of the noise schedule.",
    )

    @model_validator(mode="after")
    def _ordered_timesteps(self) -> LocalSettings:
        if self.timestep_low >= self.timestep_high:
            raise ValueError(
                f"timestep_low={self.timestep_low} must be below timestep_high={self.timestep_high}"
            )
        return self
