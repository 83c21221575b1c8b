"""The evaluation section of a study: how much is sampled and measured."""

from __future__ import annotations

from pydantic import ConfigDict, Field
from pydantic.dataclasses import dataclass


@dataclass(frozen=True, config=ConfigDict(extra="forbid", allow_inf_nan=False))
class EvaluationSettings:
    """How generators are sampled, measured and shown.

    The defaults suit a demonstration: one generator at 64 pixels takes about a minute on
    one core. For figures to publish, raise ``samples``, ``samples_per_class``,
    ``real_images`` and ``classifier_steps``.
    """

    samples: int = Field(
        256,
        ge=16,
        le=100_000,
        description="Synthetic images per generator, prompted with the composition of the "
        "training images; distances, diversity and memorisation are measured on these.",
    )
    samples_per_class: int = Field(
        128,
        ge=8,
        le=50_000,
        description="Synthetic images that each class of a classification task has at least; "
        "more are sampled where the composition gives fewer.",
    )
    real_images: int = Field(
        512,
        ge=16,
        le=1_000_000,
        description="Real images used at most, of the training patients and of the held-out "
        "patients each; spread evenly over the patients.",
    )
    searched_images: int = Field(
        8192,
        ge=16,
        le=1_000_000,
        description="Training images searched at most, in pixels, for copies.",
    )
    steps: int = Field(10, ge=1, le=1000, description="Sampler steps per synthetic image.")
    guidance_scale: float = Field(
        2.0,
        ge=1.0,
        le=20.0,
        description="Classifier-free guidance while sampling; 1 is none.",
    )
    seed: int = Field(
        0, ge=0, le=2**31 - 1, description="Seed of prompts, noise, classifiers and bootstrap."
    )
    classifier_steps: int = Field(
        200, ge=10, le=100_000, description="Training steps of each classifier."
    )
    classifier_seeds: int = Field(
        3, ge=1, le=50, description="Classifiers per task and training set; they answer together."
    )
    bootstrap: int = Field(
        1000,
        ge=100,
        le=100_000,
        description="Bootstrap resamples of held-out patients for the 95 % intervals.",
    )
    min_patients_per_class: int = Field(
        8,
        ge=2,
        le=10_000,
        description="Patients that each class of a task needs, in training and held out.",
    )
    gallery_prompts: int = Field(6, ge=1, le=40, description="Rows of the gallery.")
    gallery_columns: int = Field(6, ge=1, le=12, description="Images in a row of the gallery.")
    gallery_real: bool = Field(
        True,
        description="Show real held-out images beside the synthetic ones. They are patients' "
        "images: switch this off for a report that leaves the place where they may be seen.",
    )
    extractor: str = Field(
        "",
        description="Path of a feature extractor saved by torch.export ([N, 3, 128, 128] in "
        "[-1, 1] to [N, D]); empty is EfficientNet-lite0 with ImageNet weights.",
    )
    non_private: bool = Field(
        False,
        description="Also train the same federation without differential privacy, and compare.",
    )
    single_site: bool = Field(
        False,
        description="Also train privately on the largest site's data alone, as if it had not "
        "taken part, and compare.",
    )
    local_noise: bool = Field(
        False,
        description="Also train a joint study with each site adding all noise of its own, and "
        "compare.",
    )
    pooled: bool = Field(
        False,
        description="Also train without privacy on the pooled data of all sites, and compare.",
    )
    preview_prompts: tuple[str, ...] = Field(
        (
            "axial CT slice of the head",
            "axial T1-weighted MR slice of the head",
            "axial T2-weighted MR slice of the head",
            "chest X-ray, PA view",
        ),
        max_length=8,
        description="Captions of which the coordinator draws images between rounds, for its "
        "dashboard; none draws nothing. Drawing takes at most a twentieth of the time, beside "
        "that of the last round.",
    )
