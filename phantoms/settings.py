"""What `fedscan phantoms` writes."""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import ConfigDict, Field, model_validator
from pydantic.dataclasses import dataclass

Contrast = Literal["T1", "T2", "CT"]
Height = Annotated[float, Field(ge=-70.0, le=100.0)]


@dataclass(frozen=True, config=ConfigDict(extra="forbid", allow_inf_nan=False))
class PhantomSettings:
    """Size and content of the phantom hospitals."""

    patients: Annotated[
        tuple[Annotated[int, Field(ge=1, le=100_000)], ...], Field(min_length=1)
    ] = Field(
        (80, 60, 40),
        max_length=500,
        description="Patients of each hospital; as many hospitals as numbers.",
    )
    contrasts: Annotated[tuple[Contrast, ...], Field(min_length=1)] = Field(
        ("T1", "T2", "CT"), description="Contrasts that the hospitals acquire."
    )
    paired_share: float = Field(
        0.3,
        ge=0.0,
        le=1.0,
        description="Share of patients scanned with every contrast; the others get one each.",
    )
    slices: int = Field(12, ge=1, le=200, description="Axial slices of a series.")
    coverage: tuple[Height, Height] = Field(
        (-46.0, 74.0),
        description="Height of the lowest and highest slice in mm above the middle of the brain; "
        "lesions lie between -30 and 65.",
    )
    matrix: int = Field(64, ge=32, le=512, description="Rows and columns of an image.")
    mask_share: float = Field(
        1.0,
        ge=0.0,
        le=1.0,
        description="Share of patients with a segmentation object beside each series.",
    )
    seed: int = Field(0, ge=0, description="Seed; the same seed writes the same bytes.")
    workers: int = Field(1, ge=1, le=256, description="Processes that write patients in parallel.")

    @model_validator(mode="after")
    def _upwards(self) -> PhantomSettings:
        low, high = self.coverage
        if high - low < 10.0:
            raise ValueError(
                f"coverage ({low:g}, {high:g}) must span at least 10 mm from its lowest slice up"
            )
        return self
