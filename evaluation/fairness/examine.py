"""Is it fair? Quality, utility and obedience compared between groups of patients."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from ...common.progress import Progress, no_progress
from ..halves import first_half
from ..measures.bootstrap import patient_weights
from ..measures.classifier import predict, train_classifier
from ..measures.features import load_extractor
from ..measures.image_sets import ImageSet, RealSets
from ..measures.prompts import Prompts
from ..measures.tasks import Task, choose_tasks
from ..section import Section
from ..settings import FairnessSettings
from ..subject import Subject
from .bench import Bench
from .groups import find_groups, members, prompts_for
from .measures import Fidelity, GroupMeasure, Members, Quality, Utility, Values
from .section import fairness_section, no_groups


def examine_fairness(
    subject: Subject,
    *,
    settings: FairnessSettings | None = None,
    on_progress: Progress = no_progress,
) -> Section:
    """Compare groups of patients by sex, age band, site and scanner.

    Images are asked for with captions and positions of the group's training images. Groups with
    few held-out patients are not spoken of, and patients are counted in tens.

    Args:
        subject: The generator, and images of patients trained on and held out.
        settings: How much is sampled, and how large a group must be.
        on_progress: Told what is being done and how much is done.

    Raises:
        DataError: If there are fewer than two held-out patients.
    """
    settings = settings or FairnessSettings()
    holdout = subject.real.holdout.thin(settings.real_images, subject.seed)
    real = RealSets(train=subject.real.train, holdout=holdout)
    grouping = find_groups(real.train, holdout, min_patients=settings.min_patients)
    if not grouping.groups:
        return no_groups(settings)
    on_progress("sampling images of every group", 0, 10)
    rng = np.random.default_rng((subject.seed, 10))
    rows = prompts_for(real.train, grouping, per_group=settings.samples_per_group, rng=rng)
    sources = real.train.select(rows)
    prompts = Prompts.copied(sources, np.arange(len(sources)))
    images = np.clip(subject.draw(prompts.captions, prompts.positions.tolist()), -1, 1)
    on_progress("training classifiers", 5, 10)
    measures, of_real = _measures(subject, real, sources, images, settings)
    on_progress("comparing groups", 9, 10)
    bench = Bench(
        holdout=holdout,
        members={
            group: Members(real=members(holdout, group), synthetic=members(sources, group))
            for group in grouping.groups
        },
        real=patient_weights(holdout.patients, resamples=settings.bootstrap, seed=subject.seed),
        synthetic=patient_weights(
            [f"{index:06}" for index in range(len(sources))],
            resamples=settings.bootstrap,
            seed=subject.seed + 1,
        ),
        choose_real=first_half(holdout.patients, subject.seed),
        choose_synthetic=rng.permutation(len(sources)) < len(sources) // 2,
        least=settings.min_patients,
    )
    section = fairness_section(bench, grouping, measures, of_real)
    on_progress("finished", 10, 10)
    return section


def _measures(
    subject: Subject,
    real: RealSets,
    sources: ImageSet,
    images: NDArray[np.float32],
    settings: FairnessSettings,
) -> tuple[list[GroupMeasure], dict[str, GroupMeasure]]:
    """Return the measures, and by their keys those of classifiers trained on real images."""
    extractor = load_extractor()
    measures: list[GroupMeasure] = [
        Quality(
            extractor.features(real.holdout.images),
            extractor.features(images),
            np.array(real.holdout.patients),
        )
    ]
    of_real: dict[str, GroupMeasure] = {}
    for task in choose_tasks(real, min_patients_per_class=settings.min_patients):
        labels = task.labels(real.holdout.descriptions)
        by_synthetic = _probabilities(
            task, images, sources, [real.holdout.images], settings, subject.seed
        )
        if by_synthetic is None:
            continue
        by_real = _probabilities(
            task,
            real.train.images,
            real.train,
            [real.holdout.images, images],
            settings,
            subject.seed,
        )
        assert by_real is not None  # choose_tasks made sure of the classes
        utility = Utility(task, by_synthetic[0], labels)
        measures += [utility, Fidelity(task, by_real[1], task.labels(sources.descriptions))]
        of_real[utility.key] = Utility(task, by_real[0], labels, taught_by="real")
    return measures, of_real


def _probabilities(
    task: Task,
    images: NDArray[np.float32],
    sources: ImageSet,
    targets: Sequence[NDArray[np.float32]],
    settings: FairnessSettings,
    seed: int,
) -> list[list[Values]] | None:
    """Train classifiers and let them judge; ``None`` if a class is not among the images."""
    labels = task.labels(sources.descriptions)
    part = np.flatnonzero(labels >= 0)
    if set(labels[part]) != set(range(len(task.classes))):
        return None
    networks = [
        train_classifier(
            images[part],
            labels[part],
            classes=len(task.classes),
            steps=settings.classifier_steps,
            seed=seed + number,
        )
        for number in range(settings.classifier_seeds)
    ]
    return [[predict(network, those) for network in networks] for those in targets]
