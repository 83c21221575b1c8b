"""Does it invent anatomy? What a segmenter of real anatomy finds in generated images.

Four groups of patients keep the numbers honest: one half of the training patients trains the
segmenter, the other gives the population's range; one half of the held-out patients chooses the
threshold, and on the other half everything is reported.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from ..errors import DataError
from ..evaluation.real_sets import ImageSet
from ..evaluation.settings import EvaluationSettings
from ..model.conditions import spatial_conditions
from ..model.generator import Generator
from .anatomy_figures import draw_followed, draw_implausible
from .anatomy_section import KEY, TITLE, Drawn, Findings
from .following import follow
from .halves import halves
from .plausibility import PlausibilityModel
from .population import FEWEST, kind_of, learn_population, score
from .progress import Progress, no_progress
from .section import Figure, Measure, Section
from .segmenter import segment, train_segmenter
from .settings import ExaminationSettings
from .shapes import shape_features
from .subject import Subject


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
        model = learn_plausibility(
            subject.real.train,
            choose,
            steps=settings.segmenter_steps,
            rejected=settings.rejected_share,
            seed=subject.seed,
            on_progress=lambda what, share: on_progress(what, share / 2),
        )
    except DataError as failure:
        return _not_measured(failure.message)
    report = report.select(
        [i for i, shown in enumerate(report.descriptions) if kind_of(shown) in model.population]
    ).thin(settings.anatomy_images, subject.seed)
    masked = report.select([i for i, mask in enumerate(report.masks) if mask is not None])
    if not len(masked):
        return _not_measured("No held-out image has a mask of a kind that training images have.")
    model.save(subject.out)
    generators: dict[str, Generator] = {subject.name: subject.generator, **subject.others}
    drawn = {}
    for number, (name, generator) in enumerate(generators.items()):
        on_progress(f"drawing images of {name}", 0.5 + number / len(generators) / 2)
        drawn[name] = draw(subject, generator, model, report, masked)
    real = model.judge(report.images, report.descriptions, report.positions)
    own_error = follow(segment(model.segmenter, masked.images).masks, _masks(masked))
    figures = _figures(subject, drawn[subject.name], masked, report)
    return Findings(
        name=subject.name,
        evaluation=evaluation,
        model=model,
        report=report,
        masked=masked,
        real=real,
        own_error=own_error,
        drawn=drawn,
    ).section(figures)


def learn_plausibility(
    train: ImageSet,
    choose: ImageSet,
    *,
    steps: int,
    rejected: float,
    seed: int,
    on_progress: Progress = no_progress,
) -> PlausibilityModel:
    """Learn real anatomy, and choose the threshold.

    Args:
        train: Images of training patients, some with masks.
        choose: Images of held-out patients, to choose the threshold on.
        steps: Training steps of the segmenter.
        rejected: Share of these real images that the threshold rejects.
        seed: Seed of split, weights and batches.
        on_progress: Told about the progress.

    Raises:
        DataError: If too few images have masks.
    """
    taught, ranged = halves(train, seed)
    with_mask = [i for i, mask in enumerate(taught.masks) if mask is not None]
    kinds = [kind_of(taught.descriptions[i]) for i in with_mask]
    known = {kind for kind in kinds if kinds.count(kind) >= FEWEST}
    if not known:
        raise DataError(
            f"A segmenter needs {2 * FEWEST} training images of one kind with masks; there are "
            f"{len(with_mask)} in half of the patients.",
            hint="Place segmentations beside the scans.",
        )
    lessons = taught.select(with_mask)
    network = train_segmenter(
        lessons.images, _masks(lessons), steps=steps, seed=seed, on_progress=on_progress
    )

    def features(images: ImageSet) -> NDArray[np.float64]:
        seen = segment(network, images.images)
        return shape_features(seen.masks, seen.doubt, list(images.descriptions))

    ranged = ranged.select(
        [i for i, shown in enumerate(ranged.descriptions) if kind_of(shown) in known]
    )
    population = learn_population(features(ranged), ranged.descriptions, ranged.positions)
    distances, _ = score(population, features(choose), choose.descriptions, choose.positions)
    distances = distances[np.isfinite(distances)]
    if not len(distances):
        raise DataError(
            "No held-out image is of a kind that enough training images with masks are."
        )
    return PlausibilityModel(
        segmenter=network,
        population=population,
        threshold=float(np.quantile(distances, 1 - rejected)),
        image_size=train.images.shape[1],
    )


def draw(
    subject: Subject,
    generator: Generator,
    model: PlausibilityModel,
    report: ImageSet,
    masked: ImageSet,
) -> Drawn:
    """Draw images of the held-out images' captions, with and without their masks, and judge."""
    free = subject.draw(
        _captions(report), report.positions.tolist(), seed=subject.seed + 101, generator=generator
    )
    given = _masks(masked)
    shape = (given.shape[1], given.shape[2])
    images = subject.draw(
        _captions(masked),
        masked.positions.tolist(),
        seed=subject.seed + 102,
        generator=generator,
        spatial=np.stack([spatial_conditions(shape, mask=mask) for mask in given]),
    )
    found = segment(model.segmenter, images).masks
    return Drawn(
        free=free,
        judged=model.judge(free, report.descriptions, report.positions),
        masked=images,
        found=found,
        own=follow(found, given),
        swapped=follow(found, given[_another(masked, subject.seed)]),
    )


def _another(images: ImageSet, seed: int) -> NDArray[np.int64]:
    """For each image another of the same kind, of another patient where there is one."""
    rng = np.random.default_rng((seed, 14))
    kinds = [kind_of(description) for description in images.descriptions]
    chosen = []
    for i in range(len(images)):
        others = [
            j
            for j in range(len(images))
            if kinds[j] == kinds[i] and images.patients[j] != images.patients[i]
        ]
        chosen.append(int(rng.choice(others)) if others else i)
    return np.array(chosen, np.int64)


def _captions(images: ImageSet) -> list[str]:
    return [description.caption() for description in images.descriptions]


def _masks(images: ImageSet) -> NDArray[np.uint8]:
    return np.stack([mask for mask in images.masks if mask is not None])


def _figures(
    subject: Subject, drawn: Drawn, masked: ImageSet, report: ImageSet
) -> tuple[Figure, ...]:
    followed = drawn.own.by_image()
    order = np.argsort(np.nan_to_num(followed, nan=2.0))
    picked = order[np.linspace(0, len(order) - 1, min(8, len(order))).round().astype(int)]
    worst = np.argsort(-np.nan_to_num(drawn.judged.scores, nan=-1.0))[:8]
    return (
        draw_followed(
            subject.out,
            given=_masks(masked)[picked],
            images=drawn.masked[picked],
            found=drawn.found[picked],
            name=subject.name,
        ),
        draw_implausible(
            subject.out,
            images=drawn.free[worst],
            captions=[report.descriptions[i].caption() for i in worst],
            name=subject.name,
        ),
    )


def _not_measured(why: str) -> Section:
    return Section(
        key=KEY,
        title=TITLE,
        summary=f"Not measured. {why}",
        measures=(
            Measure(
                name="rejected_share",
                title="Images rejected as implausible",
                value=None,
                better="lower",
                note=why,
            ),
        ),
    )
