"""Does it help? A rare class, learnt from few real images, with and without synthetic ones.

A classifier is trained on a few real images, in which one class is rare; then on the same real
images and many synthetic ones. Both are scored on real patients that neither has seen. In each
class half of a batch is real and half synthetic, as a few real images would otherwise drown:
mixing of this kind is studied by Azizi et al. 2023, arXiv 2304.08466.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from ..evaluation.bootstrap import balanced_accuracy, interval, macro_auc, patient_weights
from ..evaluation.classifier import predict, train_classifier
from ..evaluation.real_sets import ImageSet, RealSets
from ..evaluation.results import Interval
from ..evaluation.settings import EvaluationSettings
from ..evaluation.tasks import Task, choose_tasks, patients_per_class
from ..model.generator import Generator
from .progress import Progress, no_progress
from .section import Grid, Measure, Section
from .settings import ExaminationSettings
from .subject import Subject

KEY = "utility"
TITLE = "Does it help?"
_PER_DRAW = 256


@dataclass(frozen=True, kw_only=True)
class Pool:
    """Synthetic images with the classes that they were asked to show.

    Attributes:
        images: ``[N, H, W]`` in [-1, 1].
        labels: ``[N]``.
    """

    images: NDArray[np.float32]
    labels: NDArray[np.int64]


@dataclass(frozen=True, kw_only=True)
class Added:
    """What one generator's images add.

    Attributes:
        auc: AUC of real and synthetic images together; mean over the repetitions.
        accuracy: Balanced accuracy, likewise.
        auc_gain: AUC less that of the same real images alone.
        accuracy_gain: Balanced accuracy less that of the same real images alone.
        seed_aucs: AUC of each repetition.
    """

    auc: Interval
    accuracy: Interval
    auc_gain: Interval
    accuracy_gain: Interval
    seed_aucs: tuple[float, ...]


@dataclass(frozen=True, kw_only=True)
class _Scores:
    """Scores ``[S, 1 + B]`` of S repetitions on the data as they are and B resamples of them."""

    auc: NDArray[np.float64]
    accuracy: NDArray[np.float64]


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
        return _not_measured(
            "The captions of these images allow no classification task with "
            f"{evaluation.min_patients_per_class} patients in every class, in training and held "
            "out."
        )
    task = tasks[0]
    rare = rare_class(task, subject.real.train)
    generators: dict[str, Generator] = {subject.name: subject.generator, **subject.others}
    pools = {}
    for number, (name, generator) in enumerate(generators.items()):
        share = number / (len(generators) + 1)
        on_progress(f"drawing images of {name}", share)
        pools[name] = draw_pool(subject, generator, task, settings.synthetic_images)
    on_progress("training classifiers", 1 - 1 / (len(generators) + 1))
    alone, added = add_to_real(task, rare, subject.real, pools, settings, evaluation)
    return _section(subject, task, rare, alone, added, settings)


def rare_class(task: Task, train: ImageSet) -> int:
    """The class with the fewest training patients."""
    return int(np.argmin(patients_per_class(task, train)))


def draw_pool(subject: Subject, generator: Generator, task: Task, count: int) -> Pool:
    """Draw synthetic images, equally many of each class, prompted as real training images are.

    Args:
        subject: Says how to sample, and has the training images.
        generator: The generator.
        task: The task.
        count: Images of all classes together.
    """
    train = subject.real.train
    known = task.labels(train.descriptions)
    rng = np.random.default_rng((subject.seed, 11))
    classes = len(task.classes)
    chosen = np.concatenate(
        [
            rng.choice(np.flatnonzero(known == value), count // classes + (value < count % classes))
            for value in range(classes)
        ]
    )
    parts = []
    for start in range(0, len(chosen), _PER_DRAW):
        part = chosen[start : start + _PER_DRAW]
        parts.append(
            subject.draw(
                [train.descriptions[i].caption() for i in part],
                train.positions[part].tolist(),
                # Every part begins its own row of noise.
                seed=subject.seed + 1 + start // _PER_DRAW,
                generator=generator,
            )
        )
    return Pool(images=np.concatenate(parts), labels=known[chosen])


def add_to_real(
    task: Task,
    rare: int,
    real: RealSets,
    pools: Mapping[str, Pool],
    settings: ExaminationSettings,
    evaluation: EvaluationSettings,
) -> tuple[Added, dict[str, Added]]:
    """Score few real images alone, and with each pool added.

    Every repetition draws other real images and starts from other weights, the same for all
    pools. Intervals come from drawing repetitions and held-out patients together, with
    replacement; gains are resampled in pairs.

    Args:
        task: The task.
        rare: Its class that is rare among the real images.
        real: Training and held-out images.
        pools: Synthetic images by generator.
        settings: Counts of images, repetitions and steps.
        evaluation: Bootstrap and seed.

    Returns:
        Of the real images alone, whose gains are 0, and of each pool.
    """
    labels = task.labels(real.holdout.descriptions)
    part = np.flatnonzero(labels >= 0)
    held, truth = real.holdout.images[part], labels[part]
    weights = patient_weights(
        [real.holdout.patients[i] for i in part],
        resamples=evaluation.bootstrap,
        seed=evaluation.seed,
    )
    nothing = Pool(images=np.empty((0, *held.shape[1:]), np.float32), labels=np.empty(0, np.int64))
    rows: dict[str | None, list[_Scores]] = {None: [], **{name: [] for name in pools}}
    for number in range(settings.utility_seeds):
        seed = evaluation.seed + number
        few = draw_few(task, rare, real.train, settings, seed)
        own = task.labels([real.train.descriptions[i] for i in few])
        for name, kept in rows.items():
            pool = nothing if name is None else pools[name]
            network = train_classifier(
                np.concatenate([real.train.images[few], pool.images]),
                np.concatenate([own, pool.labels]),
                classes=len(task.classes),
                steps=settings.utility_steps,
                seed=seed,
                added=np.arange(len(few) + len(pool.labels)) >= len(few),
            )
            found = predict(network, held)
            kept.append(
                _Scores(
                    auc=macro_auc(found, truth, weights),
                    accuracy=balanced_accuracy(found, truth, weights),
                )
            )
    rng = np.random.default_rng((evaluation.seed, 12))
    drawn = rng.integers(
        settings.utility_seeds, size=(evaluation.bootstrap, settings.utility_seeds)
    )
    stacked = {
        name: _Scores(
            auc=np.stack([row.auc for row in kept]),
            accuracy=np.stack([row.accuracy for row in kept]),
        )
        for name, kept in rows.items()
    }
    summaries = {name: _summary(scores, stacked[None], drawn) for name, scores in stacked.items()}
    return summaries[None], {name: summaries[name] for name in pools}


def draw_few(
    task: Task, rare: int, train: ImageSet, settings: ExaminationSettings, seed: int
) -> NDArray[np.int64]:
    """Draw real training images among which one class is rare.

    Args:
        task: The task.
        rare: The rare class.
        train: Training images.
        settings: How many, and which share is of the rare class.
        seed: Seed of the draw.

    Returns:
        Indices; at least two images of every class, fewer of a class that has fewer.
    """
    labels = task.labels(train.descriptions)
    rng = np.random.default_rng((seed, 13))
    scarce = max(2, round(settings.real_images * settings.rare_share))
    others = len(task.classes) - 1
    plenty = max(2, (settings.real_images - scarce) // others)
    drawn = []
    for value in range(len(task.classes)):
        members = rng.permutation(np.flatnonzero(labels == value))
        drawn.append(members[: scarce if value == rare else plenty])
    return np.concatenate(drawn)


def _summary(scores: _Scores, alone: _Scores, drawn: NDArray[np.int64]) -> Added:
    def mean(values: NDArray[np.float64]) -> Interval:
        resampled = values[drawn, np.arange(1, values.shape[1])[:, None]].mean(axis=1)
        return interval(np.concatenate([values[:, 0].mean(keepdims=True), resampled]))

    return Added(
        auc=mean(scores.auc),
        accuracy=mean(scores.accuracy),
        auc_gain=mean(scores.auc - alone.auc),
        accuracy_gain=mean(scores.accuracy - alone.accuracy),
        seed_aucs=tuple(float(value) for value in scores.auc[:, 0]),
    )


def _section(
    subject: Subject,
    task: Task,
    rare: int,
    alone: Added,
    added: Mapping[str, Added],
    settings: ExaminationSettings,
) -> Section:
    own = added[subject.name]
    word = task.classes[rare]
    # Both can be fewer than asked for.
    few = draw_few(task, rare, subject.real.train, settings, subject.seed)
    scarce = int(np.sum(task.labels([subject.real.train.descriptions[i] for i in few]) == rare))
    gain = own.auc_gain
    if gain.low > 0:
        answer = "It helps"
    elif gain.high < 0:
        answer = "It harms"
    else:
        answer = "No gain and no harm could be shown"
    summary = (
        f"{answer}: with {settings.synthetic_images} synthetic images added, the AUC of telling "
        f"apart {task.title} changes by {gain.value:+.3f} ({gain.low:+.3f} to {gain.high:+.3f}) "
        f"over {len(few)} real images alone, {scarce} of them with the rare class “{word}”. "
        "Intervals cover 95 % of resamples of repetitions and of held-out patients; each "
        "repetition draws other real images. It says what one small network learns from these "
        "images, on these sites' patients."
    )
    measures = [_measure("auc_real", "AUC, real images alone", alone.auc)]
    measures += [
        _measure("auc_added", "AUC, synthetic images added", own.auc),
        _measure("auc_gain", "Gain in AUC", own.auc_gain),
        _measure("accuracy_real", "Balanced accuracy, real images alone", alone.accuracy),
        _measure("accuracy_added", "Balanced accuracy, synthetic images added", own.accuracy),
        _measure("accuracy_gain", "Gain in balanced accuracy", own.accuracy_gain),
    ]
    rows = [_row("real images alone", alone, gains=False)]
    rows += [_row(f"and {name}", entry, gains=True) for name, entry in added.items()]
    table = Grid(
        title=f"{task.title.capitalize()}: {len(few)} real images, and "
        f"{settings.synthetic_images} synthetic ones added",
        columns=("Trained on", "AUC", "Gain", "Balanced accuracy", "Gain ", "AUC of each"),
        rows=tuple(rows),
    )
    return Section(key=KEY, title=TITLE, summary=summary, measures=tuple(measures), tables=(table,))


def _measure(name: str, title: str, found: Interval) -> Measure:
    return Measure(
        name=name, title=title, value=found.value, low=found.low, high=found.high, better="higher"
    )


def _row(name: str, entry: Added, *, gains: bool) -> tuple[str | None, ...]:
    return (
        name,
        _words(entry.auc),
        _words(entry.auc_gain, "+") if gains else None,
        _words(entry.accuracy),
        _words(entry.accuracy_gain, "+") if gains else None,
        _listed(entry.seed_aucs),
    )


def _words(found: Interval, sign: str = "") -> str:
    form = f"{sign}.3f"
    return f"{found.value:{form}} ({found.low:{form}} to {found.high:{form}})"


def _listed(values: Sequence[float]) -> str:
    return ", ".join(f"{value:.2f}" for value in values)


def _not_measured(why: str) -> Section:
    return Section(
        key=KEY,
        title=TITLE,
        summary=f"Not measured. {why}",
        measures=(
            Measure(name="auc_gain", title="Gain in AUC", value=None, better="higher", note=why),
        ),
    )
