"""Does it invent anatomy? What a segmenter of real anatomy finds in generated images.

Four groups of patients keep the numbers honest: one half of the training patients trains the
segmenter, the other gives the population's range; one half of the held-out patients chooses the
threshold, and on the other half everything is reported.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace

import numpy as np
from numpy.typing import NDArray

from ...common.progress import Progress, no_progress, part_of
from ...errors import DataError
from ...model.conditions import spatial_conditions
from ...model.generator import Generator
from ..halves import halves
from ..measures.image_sets import ImageSet
from ..measures.settings import EvaluationSettings
from ..section import Figure, Measure, Section
from ..settings import ExaminationSettings
from ..subject import Subject
from .figures import draw_followed, draw_implausible
from .findings import KEY, TITLE, Drawn, Findings
from .following import follow
from .learning import LearntAnatomy, learn_anatomy, masks_of
from .plausibility import PlausibilityModel
from .population import kind_of
from .segmenter import segment
from .shapes import shape_features
from .volume_findings import VolumeFindings
from .volumes import draw_scans, find_scans, learn_volumes, volume_features


def examine_anatomy(
    subject: Subject,
    settings: ExaminationSettings,
    evaluation: EvaluationSettings,
    *,
    on_progress: Progress = no_progress,
) -> Section:
    """Examine the anatomy of generated images; leave the plausibility model in ``subject.out``.

    Args:
        subject: What is examined.
        settings: Counts of images and steps, and the share of real images to reject.
        evaluation: Bootstrap and seed.
        on_progress: Told about the progress.
    """
    choose, report = halves(subject.real.holdout, subject.seed)
    try:
        learning = learn_anatomy(
            subject.real.train,
            choose,
            steps=settings.segmenter_steps,
            rejected_share=settings.rejected_share,
            seed=subject.seed,
            on_progress=part_of(on_progress, 0, 2),
        )
    except DataError as failure:
        return _not_measured(failure.message)
    model, every_slice = learning.model, report
    report = report.select(
        [
            i
            for i, description in enumerate(report.descriptions)
            if kind_of(description) in model.population
        ]
    ).thin(settings.anatomy_images, subject.seed)
    with_masks = report.select([i for i, mask in enumerate(report.masks) if mask is not None])
    if not len(with_masks):
        return _not_measured("No held-out image has a mask of a kind that training images have.")
    model.save(subject.out)
    generators: dict[str, Generator] = {subject.name: subject.generator, **subject.others}
    drawings = {}
    for number, (name, generator) in enumerate(generators.items()):
        tell = part_of(on_progress, 1, 2)
        tell(f"drawing images of {name}", number, len(generators))
        drawings[name] = draw(subject, generator, model, report, with_masks)
    real = model.judge(report.images, report.descriptions, report.positions)
    own_error = follow(segment(model.segmenter, with_masks.images).masks, masks_of(with_masks))
    figures = _figures(subject, drawings[subject.name], with_masks, report)
    section = Findings(
        name=subject.name,
        evaluation=evaluation,
        model=model,
        report=report,
        with_masks=with_masks,
        real=real,
        own_error=own_error,
        drawings=drawings,
    ).section(figures)
    volumes = _volumes(subject, learning, every_slice, generators, settings, evaluation)
    if volumes is None:
        return section
    return replace(
        section,
        summary=section.summary + volumes.summary(),
        measures=section.measures + volumes.measures(),
        tables=section.tables + volumes.tables(),
    )


def _volumes(
    subject: Subject,
    learning: LearntAnatomy,
    report: ImageSet,
    generators: Mapping[str, Generator],
    settings: ExaminationSettings,
    evaluation: EvaluationSettings,
) -> VolumeFindings | None:
    """Draw whole scans and judge them; ``None`` where the sites' scans have too few slices."""
    model = learning.model
    range_scans = find_scans(learning.range_images)
    ranges = learn_volumes(
        volume_features(learning.features, learning.range_images.positions, range_scans),
        range_scans,
    )
    scans = [scan for scan in find_scans(report) if scan.kind in ranges]
    order = np.random.default_rng((subject.seed, 16)).permutation(len(scans))
    scans = [scans[number] for number in order[: settings.anatomy_scans]]
    if not scans:
        return None
    slices = report.select([index for scan in scans for index in scan.slices])
    ends = np.cumsum([len(scan.slices) for scan in scans])
    renumbered_scans = [
        replace(scan, slices=tuple(range(end - len(scan.slices), end)))
        for scan, end in zip(scans, ends.tolist(), strict=True)
    ]

    def numbers(images: NDArray[np.float32]) -> NDArray[np.float64]:
        anatomy = segment(model.segmenter, images)
        shapes = shape_features(anatomy.masks, anatomy.doubt, list(slices.descriptions))
        return volume_features(shapes, slices.positions, renumbered_scans)

    return VolumeFindings(
        name=subject.name,
        evaluation=evaluation,
        ranges=ranges,
        scans=renumbered_scans,
        real=numbers(slices.images),
        drawings={
            name: numbers(draw_scans(subject, generator, slices, renumbered_scans))
            for name, generator in generators.items()
        },
    )


def draw(
    subject: Subject,
    generator: Generator,
    model: PlausibilityModel,
    report: ImageSet,
    with_masks: ImageSet,
) -> Drawn:
    """Draw images of the held-out images' captions, with and without their masks, and judge."""
    free = subject.draw(
        _captions(report), report.positions.tolist(), seed=subject.seed + 101, generator=generator
    )
    masks = masks_of(with_masks)
    shape = (masks.shape[1], masks.shape[2])
    images = subject.draw(
        _captions(with_masks),
        with_masks.positions.tolist(),
        seed=subject.seed + 102,
        generator=generator,
        spatial=np.stack([spatial_conditions(shape, mask=mask) for mask in masks]),
    )
    masks_found = segment(model.segmenter, images).masks
    return Drawn(
        free=free,
        judgement=model.judge(free, report.descriptions, report.positions),
        from_masks=images,
        masks_found=masks_found,
        own=follow(masks_found, masks),
        mismatch=follow(masks_found, masks[_another(with_masks, subject.seed)]),
    )


def _another(images: ImageSet, seed: int) -> NDArray[np.int64]:
    """For each image another of the same kind, of another patient where there is one."""
    rng = np.random.default_rng((seed, 14))
    kinds = [kind_of(description) for description in images.descriptions]
    choice = []
    for i in range(len(images)):
        others = [
            j
            for j in range(len(images))
            if kinds[j] == kinds[i] and images.patients[j] != images.patients[i]
        ]
        choice.append(int(rng.choice(others)) if others else i)
    return np.array(choice, np.int64)


def _captions(images: ImageSet) -> list[str]:
    return [description.caption() for description in images.descriptions]


def _figures(
    subject: Subject, drawing: Drawn, with_masks: ImageSet, report: ImageSet
) -> tuple[Figure, ...]:
    dice = drawing.own.by_image()
    order = np.argsort(np.nan_to_num(dice, nan=2.0))
    examples = order[np.linspace(0, len(order) - 1, min(8, len(order))).round().astype(int)]
    worst = np.argsort(-np.nan_to_num(drawing.judgement.scores, nan=-1.0))[:8]
    return (
        draw_followed(
            subject.out,
            masks_given=masks_of(with_masks)[examples],
            images=drawing.from_masks[examples],
            masks_found=drawing.masks_found[examples],
            name=subject.name,
        ),
        draw_implausible(
            subject.out,
            images=drawing.free[worst],
            captions=[report.descriptions[i].caption() for i in worst],
            name=subject.name,
        ),
    )


def _not_measured(why: str) -> Section:
    title = "Images rejected as implausible"
    return Section.not_measured(
        KEY, TITLE, Measure.of("rejected_share", title, None, "lower", note=why)
    )
