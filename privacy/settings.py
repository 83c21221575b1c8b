"""The privacy section of a study's configuration."""

from __future__ import annotations

from pydantic import ConfigDict, Field
from pydantic.dataclasses import dataclass


@dataclass(frozen=True, config=ConfigDict(extra="forbid", allow_inf_nan=False))
class PrivacySettings:
    """What every patient is promised, and how the promise is kept.

    The promise is (epsilon, delta)-differential privacy of everything that leaves a site during
    the life of its data set, between data sets that differ by one whole patient.
    """

    enabled: bool = Field(
        True,
        description="Train privately. Off only for comparison runs on data that needs no "
        "protection: the result is marked as not private.",
    )
    epsilon: float = Field(
        4.0,
        gt=0,
        le=100,
        description="Privacy loss that the study may spend at each data set; smaller protects "
        "more. The default is half of what a site's default policy allows a data set in its life, "
        "so that something is left for later studies. Above 10 the promise is weak.",
    )
    delta: float = Field(
        1e-5,
        ge=1e-10,
        le=1e-2,
        description="Probability with which the promise may fail; well below one over the number "
        "of patients.",
    )
    clip_norm: float = Field(
        0.05,
        gt=0,
        le=1000,
        description="Largest Euclidean norm of one patient's gradient; longer ones are scaled "
        "down to it. The noise grows in proportion, so it is best a little below what most "
        "patients have: some 0.08 with LoRA of rank 2, 0.045 with rank 8, 0.14 with attention.",
    )
    sample_rate: float = Field(
        0.25,
        gt=0,
        le=1,
        description="Chance of each patient to take part in a step (Poisson sampling).",
    )
    draws_per_patient: int = Field(
        4,
        ge=1,
        le=256,
        description="(slice, timestep, noise) draws a sampled patient's loss is averaged over. "
        "Costs time but no privacy.",
    )
    statistics_share: float = Field(
        0.1,
        ge=0,
        lt=1,
        description="Share of the budget for the warm-up's statistics: noised coarse mean images "
        "per group. 0 spends nothing on them and needs warm_up.enabled=false.",
    )
    composition_share: float = Field(
        0.0,
        ge=0,
        lt=1,
        description="Share of the budget for the data card: noised numbers of the training "
        "patients by modality, body part, finding, sex and age band. 0 discloses nothing.",
    )
