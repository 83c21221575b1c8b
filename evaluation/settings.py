"""The sections of a study that say how much is drawn and trained to examine a generator."""

from __future__ import annotations

from pydantic import ConfigDict, Field
from pydantic.dataclasses import dataclass


@dataclass(frozen=True, config=ConfigDict(extra="forbid", allow_inf_nan=False))
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
    rare_class: str = Field(
        "",
        max_length=40,
        description="Does it help: the rare class, by a word of the captions such as `pneumonia` "
        "or `lesion`. It is never guessed: without it the question is not asked.",
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
        description="Does it help: synthetic images that the classifier learns from besides, "
        "equally many of each class.",
    )
    utility_seeds: int = Field(
        5,
        ge=2,
        le=100,
        description="Does it help: repetitions, each with other real images and other weights.",
    )
    utility_steps: int = Field(
        300,
        ge=10,
        le=100_000,
        description="Does it help: training steps of each classifier, and as many again of one "
        "that has learnt from synthetic images before.",
    )
    segmenter_steps: int = Field(
        600, ge=1, le=100_000, description="Anatomy: training steps of the segmenter."
    )
    anatomy_images: int = Field(
        256,
        ge=8,
        le=100_000,
        description="Anatomy: images drawn with a mask, and without one; as many held-out "
        "images are used at most.",
    )
    anatomy_scans: int = Field(
        48,
        ge=0,
        le=100_000,
        description="Anatomy: scans of held-out patients whose slices are drawn together, to "
        "judge volumes; 0 for none.",
    )
    rejected_share: float = Field(
        0.05,
        gt=0.0,
        lt=1.0,
        description="Anatomy: share of real images that the threshold rejects on the held-out "
        "patients that it is chosen on.",
    )


@dataclass(frozen=True, config=ConfigDict(extra="forbid", allow_inf_nan=False))
class MemorySettings:
    """The search for copies and for members of the training set."""

    samples: int = Field(
        default=256,
        ge=16,
        le=100_000,
        description="Synthetic images that copies are searched among.",
    )
    searched_images: int = Field(
        default=4096,
        ge=16,
        le=1_000_000,
        description="Training images at most that are searched.",
    )
    attacked_images: int = Field(
        default=512,
        ge=16,
        le=100_000,
        description="Images at most of training patients, and of held-out ones, whose membership "
        "is guessed; spread evenly over the patients.",
    )
    timesteps: int = Field(
        default=6,
        ge=1,
        le=100,
        description="Timesteps at which the loss of an image is measured.",
    )
    noises: int = Field(default=1, ge=1, le=100, description="Noises at each of these timesteps.")
    trajectory_steps: int = Field(
        default=6,
        ge=1,
        le=100,
        description="Steps of an image's trajectory that are gone there and back.",
    )
    bootstrap: int = Field(
        default=1000,
        ge=100,
        le=100_000,
        description="Resamples of patients for the 95 % intervals.",
    )


@dataclass(frozen=True, config=ConfigDict(extra="forbid", allow_inf_nan=False))
class CanarySettings:
    """The audit with planted patients."""

    gradients: int = Field(
        default=1000,
        ge=8,
        le=100_000,
        description="Made-up gradients, each planted with chance one half; at most one for each "
        "trained number.",
    )
    gradient_guesses: int = Field(
        default=200,
        ge=2,
        le=100_000,
        description="Gradients about which the auditor guesses, the most and the least "
        "suspicious in equal parts; fixed before the training, for else the bound would not hold.",
    )
    canaries: int = Field(
        default=96,
        ge=8,
        le=10_000,
        description="Made-up patients of one image, each planted with chance one half.",
    )
    guesses: int = Field(
        default=64,
        ge=2,
        le=10_000,
        description="Images about which the auditor guesses, likewise.",
    )
    patients: int = Field(
        default=64,
        ge=0,
        le=100_000,
        description="Real patients at most among whom canaries are planted.",
    )
    steps: int = Field(
        default=0,
        ge=0,
        le=100_000,
        description="Steps of the audited training; 0 for as many as the study's.",
    )
    timesteps: int = Field(
        default=6, ge=1, le=100, description="Timesteps at which a canary's loss is measured."
    )
    noises: int = Field(default=4, ge=1, le=100, description="Noises at each of these timesteps.")
    confidence: float = Field(
        default=0.95,
        gt=0.5,
        lt=1,
        description="Confidence of the lower bound on epsilon.",
    )


@dataclass(frozen=True, config=ConfigDict(extra="forbid", allow_inf_nan=False))
class FairnessSettings:
    """The comparison of groups of patients."""

    samples_per_group: int = Field(
        default=64,
        ge=16,
        le=10_000,
        description="Synthetic images of each group.",
    )
    min_patients: int = Field(
        default=10,
        ge=5,
        le=10_000,
        description="Held-out patients that a group needs: nothing is said about smaller ones.",
    )
    real_images: int = Field(
        default=1024,
        ge=32,
        le=1_000_000,
        description="Held-out images at most, spread over the patients.",
    )
    classifier_steps: int = Field(
        default=200,
        ge=10,
        le=100_000,
        description="Training steps of each classifier.",
    )
    classifier_seeds: int = Field(
        default=2,
        ge=1,
        le=50,
        description="Classifiers for each task; their scores are averaged.",
    )
    bootstrap: int = Field(
        default=1000,
        ge=100,
        le=100_000,
        description="Resamples of patients for the 95 % intervals.",
    )
