"""Is it fair? Quality, utility and obedience compared between groups of patients."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from ..evaluation.bootstrap import interval, patient_weights
from ..evaluation.classifier import predict, train_classifier
from ..evaluation.features import load_extractor
from ..evaluation.prompts import Prompts
from ..evaluation.real_sets import ImageSet, RealSets
from ..evaluation.results import Interval
from ..evaluation.tasks import Task, choose_tasks
from .group_measures import Fidelity, GroupMeasure, Members, Quality, Utility, Values
from .groups import Group, Grouping, find_groups, members, prompts_for
from .halves import first_half
from .progress import Progress, no_progress
from .section import Cell, Grid, Measure, Section
from .settings import FairnessSettings
from .subject import Subject

KEY = "fairness"


@dataclass(frozen=True, kw_only=True)
class Bench:
    """Images and weights that every measure of every group is taken with.

    Attributes:
        holdout: Held-out images.
        members: Who belongs to each group.
        real: Bootstrap weights of the held-out images, by patient, ``[1 + B, N]``.
        synthetic: Of the synthetic images, ``[1 + B, S]``.
        choose_real: Held-out images that the groups of a gap are chosen on.
        choose_synthetic: Synthetic images that they are chosen on.
        least: Patients that a group needs.
    """

    holdout: ImageSet
    members: dict[Group, Members]
    real: NDArray[np.int64]
    synthetic: NDArray[np.int64]
    choose_real: NDArray[np.bool_]
    choose_synthetic: NDArray[np.bool_]
    least: int

    def enough(self, measure: GroupMeasure, group: Group) -> bool:
        """Say whether a group has what a measure needs."""
        patients = np.array(self.holdout.patients)
        return measure.enough(self.members[group], patients, self.least)

    def value(self, measure: GroupMeasure, group: Group) -> Interval | None:
        """Measure a group on all held-out patients."""
        if not self.enough(measure, group):
            return None
        values = measure.values(self.members[group], self.real, self.synthetic)
        return interval(values) if np.isfinite(values[0]) else None

    def gap(self, measure: GroupMeasure, groups: Sequence[Group]) -> Gap | None:
        """Choose the best and the worst group on one half, and compare them on the other.

        To report the largest of many differences on the data that chose it would find a gap
        wherever there is noise.
        """
        fit = [group for group in groups if self.enough(measure, group)]
        if len(fit) < 2:
            return None
        first = [self._half(measure, group, choosing=True)[0] for group in fit]
        if not np.isfinite(first).all():
            return None
        order = np.argsort(first if measure.higher_is_better else np.negative(first))
        worst, best = fit[order[0]], fit[order[-1]]
        sign = 1.0 if measure.higher_is_better else -1.0
        differences = sign * (
            self._half(measure, best, choosing=False) - self._half(measure, worst, choosing=False)
        )
        if not np.isfinite(differences[0]):
            return None
        return Gap(best=best.name, worst=worst.name, difference=interval(differences))

    def _half(self, measure: GroupMeasure, group: Group, *, choosing: bool) -> Values:
        rows = slice(0, 1) if choosing else slice(None)
        return measure.values(
            self.members[group],
            self.real[rows] * (self.choose_real == choosing),
            self.synthetic[rows] * (self.choose_synthetic == choosing),
        )


@dataclass(frozen=True, kw_only=True)
class Gap:
    """The difference between two groups that were chosen on other patients.

    Attributes:
        best: The group that was better on the choosing half.
        worst: The one that was worse.
        difference: By how much, on the other half; below 0 if it is the other way round there.
    """

    best: str
    worst: str
    difference: Interval


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
        on_progress: Told what is being done and which share is finished.

    Raises:
        DataError: If there are fewer than two held-out patients.
    """
    settings = settings or FairnessSettings()
    holdout = subject.real.holdout.thin(settings.real_images, subject.seed)
    real = RealSets(train=subject.real.train, holdout=holdout)
    grouping = find_groups(real.train, holdout, min_patients=settings.min_patients)
    if not grouping.groups:
        return _nothing(settings)
    on_progress("sampling images of every group", 0.0)
    rng = np.random.default_rng((subject.seed, 10))
    chosen = prompts_for(real.train, grouping, per_group=settings.samples_per_group, rng=rng)
    asked = real.train.select(chosen)
    prompts = Prompts.copied(asked, np.arange(len(asked)))
    images = np.clip(subject.draw(prompts.captions, prompts.positions.tolist()), -1, 1)
    on_progress("training classifiers", 0.5)
    measures, of_real = _measures(subject, real, asked, images, settings)
    on_progress("comparing groups", 0.9)
    bench = Bench(
        holdout=holdout,
        members={
            group: Members(real=members(holdout, group), synthetic=members(asked, group))
            for group in grouping.groups
        },
        real=patient_weights(holdout.patients, resamples=settings.bootstrap, seed=subject.seed),
        synthetic=patient_weights(
            [f"{index:06}" for index in range(len(asked))],
            resamples=settings.bootstrap,
            seed=subject.seed + 1,
        ),
        choose_real=first_half(holdout.patients, subject.seed),
        choose_synthetic=rng.permutation(len(asked)) < len(asked) // 2,
        least=settings.min_patients,
    )
    section = _section(bench, grouping, measures, of_real)
    on_progress("finished", 1.0)
    return section


def _measures(
    subject: Subject,
    real: RealSets,
    asked: ImageSet,
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
        taught = _probabilities(task, images, asked, [real.holdout.images], settings, subject.seed)
        if taught is None:
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
        utility = Utility(task, taught[0], labels)
        measures += [utility, Fidelity(task, by_real[1], task.labels(asked.descriptions))]
        of_real[utility.key] = Utility(task, by_real[0], labels, taught_by="real")
    return measures, of_real


def _probabilities(
    task: Task,
    images: NDArray[np.float32],
    described: ImageSet,
    judged: Sequence[NDArray[np.float32]],
    settings: FairnessSettings,
    seed: int,
) -> list[list[Values]] | None:
    """Train classifiers and let them judge; ``None`` if a class is not among the images."""
    labels = task.labels(described.descriptions)
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
    return [[predict(network, those) for network in networks] for those in judged]


def _section(
    bench: Bench,
    grouping: Grouping,
    measures: Sequence[GroupMeasure],
    of_real: dict[str, GroupMeasure],
) -> Section:
    found: list[Measure] = []
    rows: list[tuple[Cell, ...]] = []
    beyond: list[str] = []
    for attribute in grouping.attributes:
        groups = grouping.of(attribute)
        rows += [_row(bench, group, measures, of_real) for group in groups]
        if attribute in grouping.suppressed:
            empty = (None,) * (len(measures) + len(of_real))
            rows.append((attribute, "smaller groups, not shown", None, *empty))
        for measure in measures:
            gap = bench.gap(measure, groups)
            found.append(_gap_measure(bench, attribute, groups, measure, gap, of_real))
            if gap is not None and gap.difference.low > 0:
                beyond.append(f"{measure.title}: {gap.worst} below {gap.best}")
    titles = [title for measure in measures for title in _titles(measure, of_real)]
    return Section(
        key=KEY,
        title="Is it fair?",
        summary=_summary(found, beyond, bench.least),
        measures=tuple(found),
        tables=(
            Grid(
                title="Groups of held-out patients",
                columns=("attribute", "group", "patients, at least", *titles),
                rows=tuple(rows),
            ),
        ),
    )


def _titles(measure: GroupMeasure, of_real: dict[str, GroupMeasure]) -> list[str]:
    titles = [measure.title]
    if measure.key in of_real:
        titles.append(of_real[measure.key].title)
    return titles


def _row(
    bench: Bench,
    group: Group,
    measures: Sequence[GroupMeasure],
    of_real: dict[str, GroupMeasure],
) -> tuple[Cell, ...]:
    cells: list[Cell] = [group.attribute, group.name, group.patients // 10 * 10 or bench.least]
    for measure in measures:
        cells.append(_shown(bench.value(measure, group)))
        if measure.key in of_real:
            cells.append(_shown(bench.value(of_real[measure.key], group)))
    return tuple(cells)


def _shown(value: Interval | None) -> str | None:
    return None if value is None else f"{value.value:.3f} ({value.low:.3f} to {value.high:.3f})"


def _gap_measure(
    bench: Bench,
    attribute: str,
    groups: Sequence[Group],
    measure: GroupMeasure,
    gap: Gap | None,
    of_real: dict[str, GroupMeasure],
) -> Measure:
    name = f"{measure.key}_gap_{attribute}".replace(" ", "_").replace("-", "_")
    title = f"Gap by {attribute}: {measure.title}"
    if gap is None:
        note = f"Needs two groups with {bench.least} held-out patients each, of every class."
        return Measure(name=name, title=title, value=None, better="lower", note=note)
    note = f"{gap.best} was better than {gap.worst} on the half of the patients that chose them."
    same = bench.gap(of_real[measure.key], groups) if measure.key in of_real else None
    if same is not None:
        note += (
            f" Trained on real images the gap is {same.difference.value:.3f} ({same.best}, "
            f"{same.worst})."
        )
    return Measure(
        name=name,
        title=title,
        value=gap.difference.value,
        low=gap.difference.low,
        high=gap.difference.high,
        better="lower",
        note=note,
    )


def _summary(found: Sequence[Measure], beyond: Sequence[str], least: int) -> str:
    measured = sum(measure.value is not None for measure in found)
    verdict = (
        f"Groups differ beyond chance in {len(beyond)} of {measured} comparisons: "
        f"{'; '.join(beyond)}."
        if beyond
        else f"No gap beyond chance was found in {measured} comparisons."
    )
    return (
        f"{verdict} The best and the worst group are chosen on one half of the held-out patients "
        "and compared on the other; intervals are over patients, and one in forty exceeds chance "
        f"by chance. Groups with fewer than {least} held-out patients are not shown. Captions "
        "name sex and age but neither site nor scanner: for these, gaps show whose patients the "
        "images resemble."
    )


def _nothing(settings: FairnessSettings) -> Section:
    return Section(
        key=KEY,
        title="Is it fair?",
        summary=f"No group has {settings.min_patients} held-out patients, so nothing can be said.",
    )
