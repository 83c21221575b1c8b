"""What a site reads from its scans, and how it trains on them."""

from __future__ import annotations

from typing import Literal

from pydantic import ConfigDict, Field, model_validator
from pydantic.dataclasses import dataclass


@dataclass(frozen=True, config=ConfigDict(extra="forbid"))
class DataSettings:
    """How DICOM files become training images."""

    image_size: int = Field(
        default=64,
        ge=16,
        le=1024,
        multiple_of=8,
        description="Side of the square training images, pixels.",
    )
    planes: Literal["native", "all"] = Field(
        default="native",
        description="Slices as acquired, or volumes resampled to isotropic voxels and cut axially, "
        "coronally and sagittally.",
    )
    holdout_fraction: float = Field(
        default=0.2,
        ge=0.0,
        lt=1.0,
        description="Share of patients kept from training, for evaluation.",
    )
    max_slices_per_series: int = Field(
        default=32,
        ge=1,
        le=10_000,
        description="Slices used of one series and plane, spread evenly over it.",
    )
    burned_in: Literal["refuse_marked", "refuse_likely", "refuse_unstated"] = Field(
        default="refuse_likely",
        description="Which images are set aside for text in their pixels: those marked so; also "
        "ultrasound and secondary captures that do not state otherwise; or every image that does "
        "not state that it has none.",
    )
    colour: Literal["refuse", "luminance"] = Field(
        default="refuse", description="Colour images: set aside, or reduced to their luminance."
    )


@dataclass(frozen=True, config=ConfigDict(extra="forbid"))
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
