"""How scans become training images."""

from __future__ import annotations

from typing import Literal

from pydantic import ConfigDict, Field
from pydantic.dataclasses import dataclass


@dataclass(frozen=True, config=ConfigDict(extra="forbid", allow_inf_nan=False))
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
    synthetic: Literal["refuse", "accept"] = Field(
        default="refuse",
        description="Images that say they are synthetic (Synthetic Data (0008,001C), or fedscan's "
        "own marks): set aside, or trained on. The phantoms that fedscan writes, made-up patients "
        "to try it out with, are always accepted.",
    )
    captions: Literal["words", "text"] = Field(
        default="words",
        description="What images are told by: words of the vocabulary, or also, in every second "
        "draw, the text that a site's table has of an image (a report). A text is private like the "
        "pixels; a site's policy must allow it (`allow_free_text`).",
    )
