"""The privacy section of a study's configuration."""

from __future__ import annotations

from typing import Literal

from pydantic import ConfigDict, Field, model_validator
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
        0.0,
        ge=0,
        lt=1,
        description="Share of the budget for the warm-up's statistics: noised coarse mean images "
        "per group, e.g. 0.1 with warm_up.enabled=true. 0 spends nothing on them.",
    )
    composition_share: float = Field(
        0.0,
        ge=0,
        lt=1,
        description="Share of the budget for the data card: noised numbers of the training "
        "patients by modality, body part, finding, sex and age band. 0 discloses nothing.",
    )
    sum: Literal["local", "joint"] = Field(
        "local",
        description="Who adds the noise: each site all of its own (`local`), or all sites together "
        "to one sum that is only ever seen as a whole (`joint`), with far less noise in it. "
        "Joint sums need three sites at least, and take one step a round.",
    )
    min_sites: int = Field(
        3,
        ge=1,
        le=1000,
        description="Fewest sites of a joint sum: with fewer it is not opened. The noise is "
        "planned for so many.",
    )
    colluding_sites: int = Field(
        -1,
        ge=-1,
        le=998,
        description="Other sites that may work with the coordinator while a joint study keeps "
        "`epsilon`; -1 for a third of `min_sites`, and one at least. 0 promises nothing against "
        "two that work together.",
    )
    collusion_epsilon: float = Field(
        20.0,
        gt=0,
        le=100,
        description="Privacy loss of a joint study if all other sites work with the coordinator, "
        "or the cryptography falls: what a site's own part of the noise promises by itself.",
    )
    spare_attempts: int = Field(
        4,
        ge=0,
        le=10_000,
        description="Rounds of a joint study that may be begun anew, because a site was lost in "
        "the middle of one, or a sum was wrong. Each is paid for, so more of them mean more noise.",
    )

    @model_validator(mode="after")
    def _enough_sites(self) -> PrivacySettings:
        if self.sum == "local":
            return self
        if self.min_sites < 3:
            raise ValueError(
                'sum = "joint" needs min_sites = 3 at least: of two sites each would see the '
                "other's part"
            )
        if self.honest_sites < 2:
            raise ValueError(
                f"colluding_sites = {self.colluding_sites} of min_sites = {self.min_sites} leaves "
                "no two sites to add noise together"
            )
        if self.collusion_epsilon < self.epsilon:
            raise ValueError(
                f"collusion_epsilon = {self.collusion_epsilon:g} must not be below epsilon = "
                f"{self.epsilon:g}: who has fewer secrets learns no more"
            )
        return self

    @property
    def most_colluding(self) -> int:
        """Other sites that may work with the coordinator."""
        return max(1, self.min_sites // 3) if self.colluding_sites < 0 else self.colluding_sites

    @property
    def honest_sites(self) -> int:
        """Sites of the smallest roster whose noise a joint study counts on."""
        return self.min_sites - self.most_colluding
