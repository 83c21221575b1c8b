"""The section that says whether synthetic images help a classifier with a rare class."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np

from ..measures.results import Interval
from ..measures.tasks import Task
from ..section import Grid, Measure, Section
from ..settings import ExaminationSettings
from ..subject import Subject
from .mixing import Added, draw_few

KEY = "utility"
TITLE = "Does it help?"


def utility_section(
    subject: Subject,
    task: Task,
    rare: int,
    alone: Added,
    additions: Mapping[str, Added],
    settings: ExaminationSettings,
) -> Section:
    """Say what the experiment found.

    Args:
        subject: What was examined.
        task: What the classifiers told apart.
        rare: The rare class.
        alone: Scores of the real images alone.
        additions: Scores with each generator's images added.
        settings: Counts of images.
    """
    own = additions[subject.name]
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
    measures = [Measure.of("auc_real", "AUC, real images alone", alone.auc, "higher")]
    measures += [
        Measure.of("auc_added", "AUC, synthetic images added", own.auc, "higher"),
        Measure.of("auc_gain", "Gain in AUC", own.auc_gain, "higher"),
        Measure.of(
            "accuracy_real", "Balanced accuracy, real images alone", alone.accuracy, "higher"
        ),
        Measure.of(
            "accuracy_added", "Balanced accuracy, synthetic images added", own.accuracy, "higher"
        ),
        Measure.of("accuracy_gain", "Gain in balanced accuracy", own.accuracy_gain, "higher"),
    ]
    rows = [_row("real images alone", alone, gains=False)]
    rows += [_row(f"and {name}", entry, gains=True) for name, entry in additions.items()]
    table = Grid(
        title=f"{task.title.capitalize()}: {len(few)} real images, and "
        f"{settings.synthetic_images} synthetic ones added",
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
    measure = Measure.of("auc_gain", "Gain in AUC", None, "higher", note=why)
    return Section.not_measured(KEY, TITLE, measure)
