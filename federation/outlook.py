"""What a study expects to learn: public facts that it was planned with, part of its terms."""

from __future__ import annotations

from typing import Annotated

from pydantic import ConfigDict, Field
from pydantic.dataclasses import dataclass

_Patients = Annotated[int, Field(ge=1, le=10_000_000)]


@dataclass(frozen=True, kw_only=True, config=ConfigDict(extra="forbid", allow_inf_nan=False))
class OutlookSettings:
    """What the study was planned with: all of it public, all of it shown to the sites."""

    patients: tuple[_Patients, ...] = Field(
        default=(),
        max_length=1000,
        description="Training patients of each site as the sites declare them, in no order; rough "
        "numbers will do, and every site sees them. By them stewards are told what the study "
        "expects to learn, and `trainable.subset=auto` is chosen.",
    )
    agreement: float = Field(
        default=0.0,
        ge=0,
        le=1,
        description="How well gradients agree (length of patients' mean clipped gradient in clip "
        "norms), as `fedscan plan` measures it on made-up patients; 0 for a typical value.",
    )
    reason: str = Field(
        default="",
        max_length=1000,
        pattern=r"^[^\x00-\x1f\x7f-\x9f]*$",
        examples=["a text of one line"],
        description="Why this is trained, as `trainable.subset=auto` was chosen.",
    )
