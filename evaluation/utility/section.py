"""The section that says whether synthetic images help a classifier with a rare class."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np

from ..measures.results import Interval
from ..measures.tasks import Task
from ..section import Grid, Measure, Section
from ..settings import ExaminationSettings
from ..subject import Subject
from .teaching import Added, Taught, draw_few

KEY = "utility"
TITLE = "Does it help?"


def utility_section(
    subject: Subject,
    task: Task,
    rare: int,
    alone: Added,
    additions: Mapping[str, Taught],
    settings: ExaminationSettings,
) -> Section:
    """Say what the experiment found.

    Args:
        subject: What was examined.
        task: What the classifiers told apart.
        rare: The rare class.
        alone: Scores of the real images alone.
        additions: Scores with each generator's images besides.
        settings: Counts of images.
    """
    own = additions[subject.name]
    word = task.classes[rare]
    # Both can be fewer than asked for.
    few = draw_few(task, rare, subject.real.train, settings, subject.seed)
    scarce = int(np.sum(task.labels([subject.real.train.descriptions[i] for i in few]) == rare))
    gain, mixture = own.before.auc_gain, own.together.auc_gain
    if gain.low > 0:
        answer = "It helps"
    elif gain.high < 0:
        answer = "It harms"
    else:
        answer = "No gain and no harm could be shown"
    summary = (
        f"{answer}: for a classifier that learns from {settings.synthetic_images} synthetic images "
        f"first and then from {len(few)} real ones, {scarce} of them with the rare class “{word}”, "
        f"the AUC of telling apart {task.title} changes by {gain.value:+.3f} ({gain.low:+.3f} to "
        f"{gain.high:+.3f}) over the same real images alone; with both mixed it changes by "
        f"{mixture.value:+.3f} ({mixture.low:+.3f} to {mixture.high:+.3f}). Means of "
        f"{len(alone.seed_aucs)} repetitions, each with other real images; intervals cover 95 % of "
        "resamples of repetitions and of held-out patients. It says what one small network learns "
        "from these images, on these sites' patients."
    )
    measures = [Measure.of("auc_real", "AUC, real images alone", alone.auc, "higher")]
    measures += [
        Measure.of(
            "accuracy_real", "Balanced accuracy, real images alone", alone.accuracy, "higher"
        ),
    ]
    # What gates have held since there was mixing only keeps its name.
    for before, how, entry in (
        ("pretrained_", "after synthetic ones", own.before),
        ("", "mixed with synthetic ones", own.together),
    ):
        end = "" if before else "_added"
        measures += [
            Measure.of(f"{before}auc{end}", f"AUC, real images {how}", entry.auc, "higher"),
            Measure.of(f"{before}auc_gain", f"Gain in AUC, {how}", entry.auc_gain, "higher"),
            Measure.of(
                f"{before}accuracy{end}",
                f"Balanced accuracy, real images {how}",
                entry.accuracy,
                "higher",
            ),
            Measure.of(
                f"{before}accuracy_gain",
                f"Gain in balanced accuracy, {how}",
                entry.accuracy_gain,
                "higher",
            ),
        ]
    rows = [_row("real images alone", alone, gains=False)]
    rows += [
        _row(f"{how} {name}", entry, gains=True)
        for name, both in additions.items()
        for how, entry in (("after", both.before), ("mixed with", both.together))
    ]
    table = Grid(
        title=f"{task.title.capitalize()}: {len(few)} real images, and "
        f"{settings.synthetic_images} synthetic ones before them or among them",
        columns=("Trained on", "AUC", "Gain", "Balanced accuracy", "Gain ", "AUC of each"),
        rows=tuple(rows),
    )
    return Section(key=KEY, title=TITLE, summary=summary, measures=tuple(measures), tables=(table,))


def _row(name: str, entry: Added, *, gains: bool) -> tuple[str | None, ...]:
    return (
        name,
        _words(entry.auc),
        _words(entry.auc_gain, "+") if gains else None,
        _words(entry.accuracy),
        _words(entry.accuracy_gain, "+") if gains else None,
        _listed(entry.seed_aucs),
    )


def _words(estimate: Interval, sign: str = "") -> str:
    form = f"{sign}.3f"
    return f"{estimate.value:{form}} ({estimate.low:{form}} to {estimate.high:{form}})"


def _listed(values: Sequence[float]) -> str:
    return ", ".join(f"{value:.2f}" for value in values)


def not_measured(why: str) -> Section:
    """Say why there is no such experiment."""
    measure = Measure.of("pretrained_auc_gain", "Gain in AUC", None, "higher", note=why)
    return Section.not_measured(KEY, TITLE, measure)
