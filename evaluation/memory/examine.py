"""Does it remember patients? Searched for copies, and attacked to tell who was trained on.

Neither can prove that nothing leaked: the guarantee is the privacy budget. They catch what has
none, or an error in what should keep it.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from ...common.progress import Progress, no_progress
from ...model.generator import Generator
from ..measures.features import load_extractor
from ..measures.image_sets import ImageSet
from ..measures.memorisation import pixel_vectors
from ..measures.prompts import Prompts
from ..section import Section
from ..settings import MemorySettings
from ..subject import Subject
from .copies import Copies, Vectors, find_copies
from .membership import Guessing, guess, less_reference, loss_errors, trajectory_errors
from .section import memory_section

#: Name of the generator that calibrates the attacks, among those to compare with.
REFERENCE = "base"


def examine_memory(
    subject: Subject,
    *,
    settings: MemorySettings | None = None,
    on_progress: Progress = no_progress,
) -> Section:
    """Search for copies of training patients, and try to tell who was trained on.

    Images are asked for with captions and positions of training images, which is where copies
    are likeliest. The attacks are calibrated by the generator named "base" among the subject's
    others, if there is one: it must not have been trained on these patients.

    Args:
        subject: The generator, and images of patients trained on and held out.
        settings: How much is sampled and attacked.
        on_progress: Told what is being done and how much is done.

    Raises:
        DataError: If there are fewer than two held-out patients.
    """
    settings = settings or MemorySettings()
    on_progress("sampling images to search for copies", 0, 10)
    synthetic = _draw(subject, settings.samples)
    copies = _copies(subject, synthetic, settings, on_progress)
    attacks = _attacks(subject, settings, on_progress)
    on_progress("finished", 10, 10)
    return memory_section(copies, attacks, has_reference=REFERENCE in subject.others)


def _draw(subject: Subject, count: int) -> NDArray[np.float32]:
    train = subject.real.train
    order = np.random.default_rng((subject.seed, 7)).permutation(len(train))
    prompts = Prompts.copied(train, np.resize(order, count))
    return subject.draw(prompts.captions, prompts.positions.tolist())


def _copies(
    subject: Subject, synthetic: NDArray[np.float32], settings: MemorySettings, tell: Progress
) -> dict[str, Copies]:
    extractor = load_extractor()
    sides = (subject.real.train, subject.real.holdout)
    train, holdout = (side.thin(settings.searched_images, subject.seed) for side in sides)
    copies = {}
    for number, (space, vectors) in enumerate(
        {"feature": extractor.features, "pixel": pixel_vectors}.items()
    ):
        tell(f"searching for copies, by {space}s", 3 + number, 10)
        copies[space] = find_copies(
            vectors(synthetic),
            Vectors(values=vectors(train.images), patients=train.patients),
            Vectors(values=vectors(holdout.images), patients=holdout.patients),
            resamples=settings.bootstrap,
            seed=subject.seed,
        )
    return copies


def _attacks(subject: Subject, settings: MemorySettings, tell: Progress) -> dict[str, Guessing]:
    sides = [
        side.thin(settings.attacked_images, subject.seed)
        for side in (subject.real.train, subject.real.holdout)
    ]

    def by_loss(generator: Generator, images: ImageSet) -> NDArray[np.float64]:
        return loss_errors(
            generator,
            images,
            timesteps=settings.timesteps,
            noises=settings.noises,
            seed=subject.seed,
        )

    def by_trajectory(generator: Generator, images: ImageSet) -> NDArray[np.float64]:
        return trajectory_errors(generator, images, steps=settings.trajectory_steps)

    reference = subject.others.get(REFERENCE)
    attacks = {}
    for number, (attack, errors) in enumerate(
        {"loss": by_loss, "trajectory": by_trajectory}.items()
    ):
        tell(f"guessing members, by {attack}", 2 + number, 4)
        of_sides = [errors(subject.generator, side) for side in sides]
        if reference is not None:
            of_sides = [
                less_reference(own, errors(reference, side))
                for own, side in zip(of_sides, sides, strict=True)
            ]
        attacks[attack] = guess(
            of_sides[0],
            sides[0].patients,
            of_sides[1],
            sides[1].patients,
            resamples=settings.bootstrap,
            seed=subject.seed,
        )
    return attacks
