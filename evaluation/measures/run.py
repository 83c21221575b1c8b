"""Measure generators against real images."""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict
from pathlib import Path

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from ...common.progress import Progress, no_progress
from ...errors import ModelError
from .distances import frechet_distance, kernel_distance
from .diversity import ms_ssim, reconstruction
from .features import Extractor, load_extractor
from .gallery import check_names, write_closest, write_gallery
from .image_sets import RealSets
from .memorisation import Nearest, compare, nearest, pixel_vectors
from .prompts import PromptPlan, plan_prompts
from .results import (
    Distances,
    EvaluationResult,
    GalleryGroup,
    GeneratorScores,
    RealScores,
    TaskInfo,
)
from .settings import EvaluationSettings
from .tasks import Task, choose_tasks, patients_per_class
from .utility import Scores, TaskBench, score, summarise

#: ``(captions, positions [N], seed) -> images [N, H, W] in [-1, 1]``.
Sampler = Callable[[Sequence[str], NDArray[np.float32], int], NDArray[np.float32]]


def evaluate(
    samplers: Mapping[str, Sampler],
    real: RealSets,
    settings: EvaluationSettings,
    *,
    autoencode: Callable[[NDArray[np.float32]], NDArray[np.float32]] | None = None,
    gallery: Path | None = None,
    progress: Progress = no_progress,
) -> EvaluationResult:
    """Sample each generator with the same prompts and measure its images.

    Args:
        samplers: Generators by name, such as "base", "fedscan", "non-private", "pooled";
            they are asked, and reported, in this order.
        real: Training and held-out images.
        settings: How much to sample and measure.
        autoencode: Encodes and decodes images ``[N, H, W]``, to measure the autoencoder.
        gallery: Folder for the gallery's PNG files; none are written without it.
        progress: Told about the progress.

    Raises:
        ConfigurationError: If the generators' names cannot be told apart.
        DataError: If the real images are too few.
        ModelError: If a generator returns images of the wrong shape or not finite.
    """
    check_names(samplers.keys())
    stages = 2 * (1 + len(samplers))
    progress("real images", 0, stages)
    reference = _Reference(real, settings, load_extractor(settings.extractor))
    plan = plan_prompts(reference.real, [bench.task for bench in reference.benches], settings)
    generators: list[GeneratorScores] = []
    closest: list[GalleryGroup] = []
    gallery_images: dict[str, NDArray[np.float32]] = {}
    for number, (name, sampler) in enumerate(samplers.items(), start=1):
        progress(f"sampling {name}", 2 * number, stages)
        began = time.perf_counter()
        images = _sample(name, sampler, plan, settings, real.holdout.images.shape[1:])
        seconds = time.perf_counter() - began
        progress(f"measuring {name}", 2 * number + 1, stages)
        scores, copies = reference.measure(name, images, plan, seconds)
        generators.append(scores)
        gallery_images[name] = images[len(plan.counterparts) + len(plan.extra) :]
        if gallery and settings.gallery_real:
            first = torch.argsort(copies.distances, stable=True)[: settings.gallery_columns]
            closest.append(
                write_closest(
                    gallery,
                    name,
                    [plan.captions[index] for index in first.tolist()],
                    images[first.numpy()],
                    reference.real.train.images[copies.indices[first].numpy()],
                )
            )
    progress("finished", stages, stages)
    return EvaluationResult(
        extractor=reference.extractor.name,
        extractor_sha256=reference.extractor.digest,
        settings=asdict(settings),
        tasks=reference.task_infos(),
        real=reference.real_scores(),
        generators=tuple(generators),
        reconstruction=(
            reconstruction(reference.real.holdout.images, autoencode) if autoencode else None
        ),
        gallery=(
            write_gallery(
                gallery,
                plan,
                reference.real.holdout,
                gallery_images,
                show_real=settings.gallery_real,
            )
            if gallery
            else ()
        ),
        closest=tuple(closest),
    )


def _sample(
    name: str,
    sampler: Sampler,
    plan: PromptPlan,
    settings: EvaluationSettings,
    shape: tuple[int, ...],
) -> NDArray[np.float32]:
    images = np.asarray(sampler(plan.captions, plan.positions, settings.seed), np.float32)
    shape_needed = (len(plan.captions), *shape)
    if images.shape != shape_needed:
        raise ModelError(
            f"Generator {name!r} returned images of shape {images.shape}, expected {shape_needed}.",
            hint="Evaluate a generator on images of the size it was trained for.",
        )
    if not np.isfinite(images).all():
        raise ModelError(f"Generator {name!r} returned values that are not finite.")
    return np.clip(images, -1.0, 1.0)


class _Reference:
    """Whatever depends on the real images only; computed once for all generators."""

    def __init__(self, real: RealSets, settings: EvaluationSettings, extractor: Extractor) -> None:
        self.settings = settings
        self.extractor = extractor
        self.real = RealSets(
            train=real.train.thin(settings.real_images, settings.seed),
            holdout=real.holdout.thin(settings.real_images, settings.seed + 1),
        )
        tasks = choose_tasks(self.real, min_patients_per_class=settings.min_patients_per_class)
        self.benches = [TaskBench.of(task, self.real.holdout, settings) for task in tasks]
        self.train_features = extractor.features(self.real.train.images)
        self.holdout_features = extractor.features(self.real.holdout.images)
        # Pixels are cheap: search more training images than those with features.
        search_set = real.train.thin(settings.searched_images, settings.seed)
        self.train_pixels = pixel_vectors(search_set.images)
        self.feature_nearest = nearest(self.holdout_features, self.train_features)
        self.pixel_nearest = nearest(pixel_vectors(self.real.holdout.images), self.train_pixels)
        self.utility: list[Scores] = [
            score(bench, self.real.train.images, self.real.train.descriptions, settings)
            for bench in self.benches
        ]

    def measure(
        self, name: str, images: NDArray[np.float32], plan: PromptPlan, seconds: float
    ) -> tuple[GeneratorScores, Nearest]:
        """Measure one generator's images, in the order of the plan.

        Returns:
            The scores, and the nearest training image of each matched image, by features.
        """
        count = len(plan.counterparts)
        counterparts = images[:count]
        features = self.extractor.features(counterparts)
        label_count = count + len(plan.extra)
        descriptions = plan.counterparts.descriptions + plan.extra.descriptions
        copies = nearest(features, self.train_features)
        scores = GeneratorScores(
            name=name,
            images=len(images),
            seconds=seconds,
            distances=self._distances(features),
            ms_ssim=ms_ssim(counterparts, plan.counterparts.descriptions, seed=self.settings.seed),
            utility=tuple(
                summarise(
                    bench.task,
                    score(bench, images[:label_count], descriptions, self.settings),
                    real,
                )
                for bench, real in zip(self.benches, self.utility, strict=True)
            ),
            memorisation=compare(
                feature=copies,
                feature_holdout=self.feature_nearest,
                pixel=nearest(pixel_vectors(counterparts), self.train_pixels),
                pixel_holdout=self.pixel_nearest,
                train_count=len(self.train_pixels),
            ),
        )
        return scores, copies

    def _distances(self, features: Tensor) -> Distances:
        kernel, deviation = kernel_distance(
            self.holdout_features, features, seed=self.settings.seed
        )
        return Distances(
            frechet=frechet_distance(self.holdout_features, features),
            kernel=kernel,
            kernel_deviation=deviation,
            images=len(features),
        )

    def real_scores(self) -> RealScores:
        """What a perfect generator would reach; at most as many images as it would give."""
        train, holdout = self.real.train, self.real.holdout
        generator = torch.Generator().manual_seed(self.settings.seed)
        sample = torch.randperm(len(train), generator=generator)[: self.settings.samples]
        return RealScores(
            train_patients=train.patient_count,
            train_images=len(train),
            holdout_patients=holdout.patient_count,
            holdout_images=len(holdout),
            distances=self._distances(self.train_features[sample]),
            ms_ssim=ms_ssim(holdout.images, holdout.descriptions, seed=self.settings.seed),
            utility=tuple(
                summarise(bench.task, scores)
                for bench, scores in zip(self.benches, self.utility, strict=True)
            ),
        )

    def task_infos(self) -> tuple[TaskInfo, ...]:
        """Describe the tasks and their held-out patients."""
        return tuple(self._task_info(bench.task, bench.labels) for bench in self.benches)

    def _task_info(self, task: Task, labels: NDArray[np.int64]) -> TaskInfo:
        return TaskInfo(
            key=task.key,
            title=task.title,
            classes=task.classes,
            holdout_images=tuple(
                int(count) for count in np.bincount(labels, minlength=len(task.classes))
            ),
            holdout_patients=patients_per_class(task, self.real.holdout),
        )
