"""Settings of the generator, of what fine-tuning may change in it, and of a study's words."""

from __future__ import annotations

from dataclasses import replace
from typing import Annotated, Any, Literal

from pydantic import ConfigDict, Field, model_validator
from pydantic.dataclasses import dataclass
from pydantic_core import ArgsKwargs

Size = Literal["tiny", "small", "128", "base"]
#: What trains; from few numbers to many: biases, norms, lora, attention, all.
Subset = Literal["biases", "norms", "attention", "adapters", "lora", "all"]


@dataclass(frozen=True, config=ConfigDict(extra="forbid", allow_inf_nan=False))
class GeneratorSettings:
    """Which generator a study starts from."""

    size: Size = Field(
        "small",
        description="Architecture of a newly built generator: `tiny` (32 px, for tests), `small` "
        "(64 px) or `base` (256 px and up, for GPUs). Ignored where `base` names a folder.",
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


@dataclass(frozen=True, config=ConfigDict(extra="forbid", allow_inf_nan=False))
class TrainableSettings:
    """Which parameters fine-tuning trains; everything else stays frozen and never travels."""

    subset: Subset | Literal["auto"] = Field(
        default="auto",
        description="`biases`: what each attention layer adds everywhere; `norms`: scales and "
        "shifts of the U-Net's norms; `lora`: low-rank updates of the attention layers; "
        "`attention`: all of these layers; `adapters`: the spatial adapter; `all`: U-Net and "
        "adapter. `auto`: chosen once from public facts, when the study is submitted or simulated "
        "(docs/coordinator.md); what was chosen, and why, is in the study's terms. Without "
        "`outlook.patients` that is `lora`, as where `lora_rank` is set.",
    )
    lora_rank: int = Field(default=2, ge=1, le=256, description="Rank of the `lora` updates.")
    lora_start: Literal["by_rank", "by_width"] = Field(
        default="by_rank",
        description="How large the `lora` updates' first factors are drawn: `by_rank` (deviation "
        "1 / rank) suits the bases that fedscan makes; `by_width` (1 over the root of a layer's "
        "width) suits those of a billion weights, whose wide layers would else move far in one "
        "step. `fedscan calibrate` chooses it.",
    )
    frozen_weights: Literal["float32", "bfloat16"] = Field(
        default="float32",
        description="Form in which a site keeps the U-Net's weights that do not train: `bfloat16` "
        "halves their memory and that of a pass, on a base of a billion weights for instance. What "
        "trains, and each patient's clipped gradient, stay in float32.",
    )

    @model_validator(mode="before")
    @classmethod
    def _rank_means_lora(cls, values: Any) -> Any:
        """Who names a rank, and no subset, means low-rank updates, as before there was a choice."""
        fields = values.kwargs if isinstance(values, ArgsKwargs) else values
        if not isinstance(fields, dict) or "lora_rank" not in fields or "subset" in fields:
            return values
        if isinstance(values, ArgsKwargs):
            return values if values.args else ArgsKwargs((), {**fields, "subset": "lora"})
        return {**fields, "subset": "lora"}

    @property
    def definite_subset(self) -> Subset:
        """The subset; for ``auto`` low-rank updates, which train where nothing was chosen."""
        return "lora" if self.subset == "auto" else self.subset

    @property
    def definite(self) -> TrainableSettings:
        """The same with a definite subset."""
        return replace(self, subset=self.definite_subset)


#: A word of a caption: no comma, which stands between words there.
WordText = Annotated[
    str, Field(pattern=r"^[A-Za-z0-9][A-Za-z0-9 /+.\-]{0,39}$", examples=["fracture"])
]
#: A code with its system: SNOMED CT, RadLex or ICD-10, the last also as a range such as J12-J18.
CodeText = Annotated[
    str,
    Field(
        pattern=r"^(SCT:[0-9]{5,18}|RADLEX:RID[0-9]{1,6}|ICD10:[A-Z][0-9A-Z.\-]{1,12})$",
        examples=["SCT:125605004", "RADLEX:RID4650", "ICD10:S82"],
    ),
]
#: What selects a word in a header's text or in a prompt; upper and lower case are the same.
NameText = Annotated[
    str, Field(pattern=r"^[A-Za-z0-9][A-Za-z0-9 /+.\-]{0,59}$", examples=["broken bone"])
]


@dataclass(frozen=True, kw_only=True, config=ConfigDict(extra="forbid"))
class WordSettings:
    """A word, and what selects it: nothing of a header is copied.

    Attributes:
        word: As it stands in captions.
        codes: Codes that select it, such as ``"SCT:125605004"``, ``"RADLEX:RID4650"`` or
            ``"ICD10:S82"``, which stands for all codes that begin so.
        names: Other words that select it, as headers, tables and prompts have them.
    """

    word: WordText
    codes: tuple[CodeText, ...] = ()
    names: tuple[NameText, ...] = ()


@dataclass(frozen=True, kw_only=True, config=ConfigDict(extra="forbid"))
class FindingSettings(WordSettings):
    """A finding, and which of the kinds of finding that statistics count it is."""

    within: Literal["no finding", "lesion", "pneumonia", "COVID-19", "other finding"] = (
        "other finding"
    )


@dataclass(frozen=True, kw_only=True, config=ConfigDict(extra="forbid"))
class BodyPartSettings(WordSettings):
    """A part of the body, and the region that it lies in."""

    within: Literal["head", "neck", "chest", "abdomen", "pelvis", "spine", "limb", "body"] = "body"


@dataclass(frozen=True, kw_only=True, config=ConfigDict(extra="forbid"))
class SequenceSettings(WordSettings):
    """An MR sequence, and its weighting: ``MR`` where it is neither T1 nor T2."""

    within: Literal["T1-weighted MR", "T2-weighted MR", "MR"] = "MR"


_MANY = 400


@dataclass(frozen=True, kw_only=True, config=ConfigDict(extra="forbid"))
class VocabularySettings:
    """Which words captions are made of, and what selects them; part of the terms of a study."""

    start: Literal["base", "shipped", "few", "none"] = Field(
        default="base",
        description="Words that the study begins with, before its own: those that its base brings "
        "(`base`; the base that ships brings the shipped ones, an older base brings few), those "
        "that ship with fedscan (`shipped`), the eight regions and five kinds of finding only "
        "(`few`), or also none of the names that select these (`none`).",
    )
    findings: tuple[FindingSettings, ...] = Field(
        default=(),
        max_length=_MANY,
        description="The study's own findings, the most important first; several may hold at "
        "once. A word that the vocabulary has already is replaced.",
    )
    body_parts: tuple[BodyPartSettings, ...] = Field(
        default=(), max_length=_MANY, description="Parts of the body, each within a region."
    )
    sequences: tuple[SequenceSettings, ...] = Field(
        default=(), max_length=_MANY, description="MR sequences, such as FLAIR."
    )
    kernels: tuple[WordSettings, ...] = Field(
        default=(), max_length=_MANY, description="CT reconstruction kernels, by their names."
    )
    views: tuple[WordSettings, ...] = Field(
        default=(), max_length=_MANY, description="Views of films and mammograms."
    )
    lateralities: tuple[WordSettings, ...] = Field(
        default=(), max_length=_MANY, description="Sides of the body."
    )
    contrasts: tuple[WordSettings, ...] = Field(
        default=(),
        max_length=2,
        description="What says in words that a contrast medium was given: `with contrast` or "
        "`without contrast`.",
    )
    leave_out: tuple[WordText, ...] = Field(
        default=(), max_length=_MANY, description="Words that the study does without."
    )
