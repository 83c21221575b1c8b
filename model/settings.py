"""Settings of the generator and of what fine-tuning may change in it."""

from __future__ import annotations

from typing import Literal

from pydantic import ConfigDict, Field
from pydantic.dataclasses import dataclass

Size = Literal["tiny", "small", "128", "base"]
Subset = Literal["attention", "adapters", "lora", "all"]


@dataclass(frozen=True, config=ConfigDict(extra="forbid"))
class GeneratorSettings:
    """Which generator a study starts from."""

    size: Size = Field(
        "small",
        description="Architecture of a newly built generator: `tiny` (32 px, for tests), `small` "
        "(64 px), `128` (128 px) or `base` (256 px and up, for GPUs). Ignored where `base` names a "
        "folder.",
    )
    prediction: Literal["v_prediction", "epsilon"] = Field(
        "v_prediction", description="What the U-Net of a newly built generator predicts."
    )
    text_encoder: str = Field(
        "minilm",
        description="Frozen text encoder of a newly built generator: `minilm` (ships as a package, "
        "works offline), or the name or path of a Hugging Face encoder.",
    )
    base: str = Field(
        "",
        description="Folder of the generator to start from: one saved by fedscan, or a Stable "
        "Diffusion pipeline. Empty: the base that ships with fedscan.",
    )


@dataclass(frozen=True, config=ConfigDict(extra="forbid"))
class TrainableSettings:
    """Which parameters fine-tuning trains; everything else stays frozen and never travels."""

    subset: Subset = Field(
        "lora",
        description="`attention`: the U-Net's attention layers; `adapters`: the spatial adapter; "
        "`lora`: low-rank updates of the attention layers; `all`: U-Net and adapter.",
    )
    lora_rank: int = Field(2, ge=1, le=256, description="Rank of the `lora` updates.")
