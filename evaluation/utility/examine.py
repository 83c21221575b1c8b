"""Does it help? A rare class, learnt from few real images, with and without synthetic ones.

A classifier is trained on a few real images, in which one class is rare: from nothing, after it
has learnt from many synthetic ones, and with these mixed in. All are scored on real patients that
none has seen. Which class is rare, the user says.
"""

from __future__ import annotations

import numpy as np

from ...common.progress import Progress, no_progress, part_of
from ...model.generator import Generator
from ..measures.settings import EvaluationSettings
from ..measures.tasks import Task, choose_tasks, task_of_word
from ..section import Section
from ..settings import ExaminationSettings
from ..subject import Subject
from .section import not_measured, utility_section
from .teaching import Pool, teach_besides

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
    task = task_of_word(
        settings.rare_class,
        subject.real,
        min_patients_per_class=evaluation.min_patients_per_class,
    )
    if task is None:
        return not_measured(_why_not(subject, settings, evaluation))
    rare = task.classes.index(settings.rare_class)
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
    alone, additions = teach_besides(
        task,
        rare,
        subject.real,
        pools,
        settings,
        evaluation,
        on_progress=part_of(on_progress, len(generators), parts),
    )
    return utility_section(subject, task, rare, alone, additions, settings)


def _why_not(
    subject: Subject, settings: ExaminationSettings, evaluation: EvaluationSettings
) -> str:
    """Say why there is no such experiment, and which words could be named."""
    least = evaluation.min_patients_per_class
    tasks = choose_tasks(subject.real, min_patients_per_class=least)
    words = ", ".join(dict.fromkeys(word for task in tasks for word in task.classes))
    if not settings.rare_class:
        what = "The rare class is not named."
    else:
        what = f"{settings.rare_class!r} cannot be told from others here."
    if not words:
        return (
            f"{what} The captions of these images allow no classification task with {least} "
            "patients in every class, in training and held out."
        )
    return (
        f"{what} Name it with examination.rare_class; with {least} patients in every class, in "
        f"training and held out, it can be: {words}."
    )


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
