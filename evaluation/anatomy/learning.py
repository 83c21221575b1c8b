"""Learning real anatomy: a segmenter, a population's range, and a threshold."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from ...common.progress import Progress, no_progress
from ...errors import DataError
from ..halves import halves
from ..measures.image_sets import ImageSet
from .plausibility import PlausibilityModel
from .population import FEWEST, kind_of, learn_population, score
from .segmenter import segment, train_segmenter
from .shapes import shape_features


@dataclass(frozen=True, kw_only=True)
class LearntAnatomy:
    """What was learnt from training patients.

    Attributes:
        model: Judges images.
        range_images: Images of the patients whose range it is.
        features: Of these, ``[N, F]``.
    """

    model: PlausibilityModel
    range_images: ImageSet
    features: NDArray[np.float64]


def learn_anatomy(
    train: ImageSet,
    choose: ImageSet,
    *,
    steps: int,
    rejected_share: float,
    seed: int,
    on_progress: Progress = no_progress,
) -> LearntAnatomy:
    """Learn real anatomy, and choose the threshold.

    Args:
        train: Images of training patients, some with masks.
        choose: Images of held-out patients, to choose the threshold on.
        steps: Training steps of the segmenter.
        rejected_share: Share of these real images that the threshold rejects.
        seed: Seed of split, weights and batches.
        on_progress: Told about the progress.

    Raises:
        DataError: If too few images have masks.
    """
    teaching_images, range_images = halves(train, seed)
    with_mask = [i for i, mask in enumerate(teaching_images.masks) if mask is not None]
    kinds = [kind_of(teaching_images.descriptions[i]) for i in with_mask]
    frequent_kinds = {kind for kind in kinds if kinds.count(kind) >= FEWEST}
    if not frequent_kinds:
        raise DataError(
            f"A segmenter needs {2 * FEWEST} training images of one kind with masks; there are "
            f"{len(with_mask)} in half of the patients.",
            hint="Place segmentations beside the scans.",
        )
    lessons = teaching_images.select(with_mask)
    network = train_segmenter(
        lessons.images, masks_of(lessons), steps=steps, seed=seed, on_progress=on_progress
    )

    def features(images: ImageSet) -> NDArray[np.float64]:
        anatomy = segment(network, images.images)
        return shape_features(anatomy.masks, anatomy.doubt, list(images.descriptions))

    range_images = range_images.select(
        [
            i
            for i, description in enumerate(range_images.descriptions)
            if kind_of(description) in frequent_kinds
        ]
    )
    range_features = features(range_images)
    population = learn_population(range_features, range_images.descriptions, range_images.positions)
    distances, _ = score(population, features(choose), choose.descriptions, choose.positions)
    distances = distances[np.isfinite(distances)]
    if not len(distances):
        raise DataError(
            "No held-out image is of a kind that enough training images with masks are."
        )
    model = PlausibilityModel(
        segmenter=network,
        population=population,
        threshold=float(np.quantile(distances, 1 - rejected_share)),
        image_size=train.images.shape[1],
    )
    return LearntAnatomy(model=model, range_images=range_images, features=range_features)


def masks_of(images: ImageSet) -> NDArray[np.uint8]:
    """Stack the masks of images that all have one, ``[N, H, W]``."""
    return np.stack([mask for mask in images.masks if mask is not None])
