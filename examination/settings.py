"""The examination section of a study: how much is drawn and trained to examine a generator."""

from __future__ import annotations

from pydantic import ConfigDict, Field
from pydantic.dataclasses import dataclass


@dataclass(frozen=True, config=ConfigDict(extra="forbid"))
class ExaminationSettings:
    """How much an examination draws and trains.

    Sampler, classifiers' steps, bootstrap and seed are those of the evaluation.
    """

    holdout_images: int = Field(
        2048,
        ge=16,
        le=1_000_000,
        description="Images of held-out patients used at most; spread evenly over the patients.",
    )
    real_images: int = Field(
        200,
        ge=4,
        le=1_000_000,
        description="Does it help: real images that the classifier has in either case.",
    )
    rare_share: float = Field(
        0.1,
        gt=0.0,
        le=0.5,
        description="Does it help: share of the rare class among these real images.",
    )
    synthetic_images: int = Field(
        5000,
        ge=2,
        le=1_000_000,
        description="Does it help: synthetic images that are added, equally many of each class.",
    )
    utility_seeds: int = Field(
        5,
        ge=2,
        le=100,
        description="Does it help: repetitions, each with other real images and other weights.",
    )
    utility_steps: int = Field(
        300, ge=10, le=100_000, description="Does it help: training steps of each classifier."
    )
