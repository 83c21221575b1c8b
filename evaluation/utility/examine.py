"""Does it help? A rare class, learnt from few real images, with and without synthetic ones.

A classifier is trained on a few real images, in which one class is rare; then on the same real
images and many synthetic ones. Both are scored on real patients that neither has seen.
"""

from __future__ import annotations

import numpy as np

from ...common.progress import Progress, no_progress, part_of
from ...model.generator import Generator
from ..measures.image_sets import ImageSet
from ..measures.settings import EvaluationSettings
from ..measures.tasks import Task, choose_tasks, patients_per_class
from ..section import Section
from ..settings import ExaminationSettings
from ..subject import Subject
from .mixing import Pool, add_to_real
from .section import not_measured, utility_section

_PER_DRAW = 256


def examine_rare_class(
    subject: Subject,
    settings: ExaminationSettings,
    evaluation: EvaluationSettings,
    *,
    on_progress: Progress = no_progress,
) -> Section:
    """Run the experiment for the generator examined and for each that it is compared with.

    Args:
        subject: What is examined.
        settings: Counts of images, repetitions and steps.
        evaluation: Bootstrap, seed, and the patients that a class must have.
        on_progress: Told about the progress.
    """
    tasks = choose_tasks(subject.real, min_patients_per_class=evaluation.min_patients_per_class)
    if not tasks:
        return not_measured(
            "The captions of these images allow no classification task with "
            f"{evaluation.min_patients_per_class} patients in every class, in training and held "
            "out."
        )
    task = tasks[0]
    rare = rare_class(task, subject.real.train)
    generators: dict[str, Generator] = {subject.name: subject.generator, **subject.others}
    parts = len(generators) + 1
    pools = {}
    for number, (name, generator) in enumerate(generators.items()):
        pools[name] = draw_pool(
            subject,
            generator,
            task,
            settings.synthetic_images,
            on_progress=part_of(on_progress, number, parts, name=name),
        )
    alone, additions = add_to_real(
        task,
        rare,
        subject.real,
        pools,
        settings,
        evaluation,
        on_progress=part_of(on_progress, len(generators), parts),
    )
    return utility_section(subject, task, rare, alone, additions, settings)


def rare_class(task: Task, train: ImageSet) -> int:
    """The class with the fewest training patients."""
    return int(np.argmin(patients_per_class(task, train)))


def draw_pool(
    subject: Subject,
    generator: Generator,
    task: Task,
    count: int,
    *,
    on_progress: Progress = no_progress,
) -> Pool:
    """Draw synthetic images, equally many of each class, prompted as real training images are.

    Args:
        subject: Says how to sample, and has the training images.
        generator: The generator.
        task: The task.
        count: Images of all classes together.
        on_progress: Told how many of them are drawn.
    """
    train = subject.real.train
    labels = task.labels(train.descriptions)
    rng = np.random.default_rng((subject.seed, 11))
    classes = len(task.classes)
    rows = np.concatenate(
        [
            rng.choice(
                np.flatnonzero(labels == value), count // classes + (value < count % classes)
            )
            for value in range(classes)
        ]
    )
    parts = []
    for start in range(0, len(rows), _PER_DRAW):
        on_progress("drawing images", start, len(rows))
        part = rows[start : start + _PER_DRAW]
        parts.append(
            subject.draw(
                [train.descriptions[i].caption() for i in part],
                train.positions[part].tolist(),
                # Every part begins its own row of noise.
                seed=subject.seed + 1 + start // _PER_DRAW,
                generator=generator,
            )
        )
    return Pool(images=np.concatenate(parts), labels=labels[rows])
