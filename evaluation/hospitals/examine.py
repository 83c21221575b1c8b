"""Can the hospital be told? Two attacks: on generated images, and on the weights.

What is promised is that no patient can be told. A hospital is many patients, so its own trace may
well be learnt, and a site may want to know.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from ...common.progress import Progress, no_progress
from ...model.generator import Generator
from ..measures.image_sets import ImageSet
from ..measures.prompts import Prompts
from ..memory.membership import less_reference, loss_errors
from ..section import Section
from ..settings import ExaminationSettings, MemorySettings
from ..subject import Subject
from .knowing import Knowing, know_hospitals
from .naming import name_hospitals
from .section import hospitals_section, not_measured

#: Name of the generator before the training, among those to compare with.
REFERENCE = "base"


def examine_hospitals(
    subject: Subject,
    *,
    settings: MemorySettings,
    examination: ExaminationSettings,
    on_progress: Progress = no_progress,
) -> Section:
    """Try to tell which hospital images and weights come from.

    Args:
        subject: The generator, and images of patients trained on and held out, with their sites.
        settings: How many images are drawn and attacked, and how hard.
        examination: Training steps of the network that names hospitals.
        on_progress: Told what is being done and how much is done.

    Raises:
        DataError: If there are fewer than two held-out patients.
    """
    real = subject.real
    names = sorted(set(real.train.sites) & set(real.holdout.sites))
    if len(names) < 2:
        return not_measured("There are fewer than two hospitals whose patients are held out.")
    base = subject.others.get(REFERENCE)
    prompts = _prompts(real.train, settings.samples, subject.seed)
    on_progress("drawing images", 0, 10)

    def draw(generator: Generator) -> NDArray[np.float32]:
        return subject.draw(prompts.captions, prompts.positions.tolist(), generator=generator)

    after = draw(subject.generator)
    before = draw(base) if base is not None else None
    on_progress("naming hospitals by images", 3, 10)
    namings = name_hospitals(
        real.train,
        real.holdout,
        after,
        before,
        steps=examination.utility_steps,
        resamples=settings.bootstrap,
        seed=subject.seed,
    )
    on_progress("telling hospitals by the weights", 6, 10)
    knowings: tuple[Knowing, ...] = ()
    if base is not None:
        images = real.holdout.thin(settings.attacked_images, subject.seed)
        of_both = [
            _errors(one, images, settings, subject.seed) for one in (subject.generator, base)
        ]
        knowings = know_hospitals(
            less_reference(*of_both), images, resamples=settings.bootstrap, seed=subject.seed
        )
    on_progress("finished", 10, 10)
    return hospitals_section(namings, knowings, has_reference=base is not None)


def _prompts(train: ImageSet, count: int, seed: int) -> Prompts:
    order = np.random.default_rng((seed, 14)).permutation(len(train))
    return Prompts.copied(train, np.resize(order, count))


def _errors(
    generator: Generator, images: ImageSet, settings: MemorySettings, seed: int
) -> NDArray[np.float64]:
    return loss_errors(
        generator, images, timesteps=settings.timesteps, noises=settings.noises, seed=seed
    )
