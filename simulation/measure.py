"""Measuring the generators of a simulation against its sites' real images."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import replace
from pathlib import Path

import numpy as np
import torch
from numpy.typing import NDArray

from ..client.data.scanners import modality_of
from ..client.site import Site
from ..client.workspace.opened import open_data
from ..common.progress import Progress, no_progress
from ..config.study import Study
from ..evaluation.measures.image_sets import ImageSet, RealSets
from ..evaluation.measures.results import EvaluationResult
from ..evaluation.measures.run import Sampler, evaluate
from ..model.example import Example
from ..model.generator import Generator
from ..model.outline import size_taken
from ..model.sampling import sample
from ..model.storage import load_generator


def measure(
    generators: Mapping[str, Path],
    sites: Sequence[Site],
    study: Study,
    *,
    gallery: Path,
    device: str = "cpu",
    progress: Progress = no_progress,
) -> EvaluationResult:
    """Compare generators on all sites' images; possible in a simulation only.

    Args:
        generators: Folders of generators by name, the base first.
        sites: The sites, whose images are compared with.
        study: The study.
        gallery: Folder for the gallery's pictures.
        device: Where the generators compute.
        progress: Told what is being done and how much of it is done.

    Raises:
        DataError: If the real images are too few.
    """
    real = real_sets(sites, study, holdout_images=study.evaluation.real_images)
    size = study.data.image_size
    by_name = {
        name: load_generator(folder, size_taken(folder, size)).to(device)
        for name, folder in generators.items()
    }
    return evaluate(
        {name: _sampler(generator, study) for name, generator in by_name.items()},
        real,
        study.evaluation,
        autoencode=_autoencoder(next(iter(by_name.values()))),
        gallery=gallery,
        progress=progress,
    )


def real_sets(
    sites: Sequence[Site], study: Study, *, holdout_images: int, with_scanners: bool = False
) -> RealSets:
    """Read all sites' images, the training patients' and the held-out ones'.

    Args:
        sites: The sites.
        study: Its split of the patients, and how many training images are used at most.
        holdout_images: Images of held-out patients at most.
        with_scanners: Read also which scanner made each image, from all files' headers.

    Raises:
        DataError: If there are no training or no held-out images.
    """
    settings = study.evaluation
    train = ImageSet.of(
        _examples(sites, study, held_out=False), limit=settings.searched_images, seed=settings.seed
    )
    holdout = ImageSet.of(
        _examples(sites, study, held_out=True), limit=holdout_images, seed=settings.seed
    )
    scanners = _scanners(sites, study) if with_scanners else {}
    return RealSets(train=_with_origin(train, scanners), holdout=_with_origin(holdout, scanners))


def _with_origin(images: ImageSet, scanners: Mapping[tuple[str, str], str]) -> ImageSet:
    made_by = [
        scanners.get((patient, modality_of(description.modality)), "")
        for patient, description in zip(images.patients, images.descriptions, strict=True)
    ]
    return replace(
        images,
        sites=tuple(patient.partition("/")[0] for patient in images.patients),
        scanners=tuple(made_by) if scanners else (),
    )


def _scanners(sites: Sequence[Site], study: Study) -> dict[tuple[str, str], str]:
    """Scanner by patient, with the site's prefix, and modality."""
    return {
        (f"{site.name}/{key}", modality): f"{site.name}: {scanner}"
        for site in sites
        for (key, modality), scanner in open_data(
            site, study.data, study.trainable, study.vocabulary
        )
        .dataset.scanners()
        .items()
    }


def _examples(
    sites: Sequence[Site], study: Study, *, held_out: bool
) -> Iterator[tuple[str, Example]]:
    """Yield every site's images with keys that tell its patients from other sites'."""
    for site in sites:
        dataset = open_data(site, study.data, study.trainable, study.vocabulary).dataset
        keys = dataset.holdout_patients if held_out else dataset.train_patients
        for key in keys:
            for example in dataset.examples(key):
                yield f"{site.name}/{key}", example


def _sampler(generator: Generator, study: Study) -> Sampler:
    settings = study.evaluation

    def draw(
        captions: Sequence[str], positions: NDArray[np.float32], seed: int
    ) -> NDArray[np.float32]:
        return sample(
            generator,
            captions,
            positions=positions.tolist(),
            guidance_scale=settings.guidance_scale,
            steps=settings.steps,
            seed=seed,
        )

    return draw


def _autoencoder(generator: Generator) -> Callable[[NDArray[np.float32]], NDArray[np.float32]]:
    def through(images: NDArray[np.float32]) -> NDArray[np.float32]:
        parts = [
            generator.rebuild(batch[:, None])[:, 0].cpu()
            for batch in torch.from_numpy(images).split(generator.images_at_once)
        ]
        return torch.cat(parts).numpy()

    return through
