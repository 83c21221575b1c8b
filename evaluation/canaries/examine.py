"""Planted patients: how much a training gives away, measured, beside what was accounted for.

Made-up patients are planted, each by a fair coin of its own; the study's private steps run on
them and on real patients; an auditor guesses the coins. How often the guesses are right bounds
epsilon from below (Steinke et al. 2023, arXiv 2305.08846). A bound above the accounted epsilon
means that the privacy is broken; one far below it that the auditor is weak, or the accounting
cautious. There are two kinds: gradients, which try the steps with the worst that a patient could
be, and images, which try what a finished generator remembers.
"""

from __future__ import annotations

from ...common.progress import Progress, no_progress, part_of
from ...errors import ConfigurationError
from ...model.generator import Generator
from ...privacy.accounting import epsilon as accounted_epsilon
from ...privacy.mechanism import SubsampledGaussian
from ...privacy.planning import plan_mechanism
from ...privacy.settings import PrivacySettings
from ..measures.image_sets import ImageSet
from ..section import Section
from ..settings import CanarySettings
from .audited import AuditedTraining
from .gradients import audit_steps
from .images import audit_images
from .rehearsal import SiteTraining
from .section import canaries_section


def examine_canaries(
    start: Generator,
    real: ImageSet,
    *,
    training: SiteTraining,
    settings: CanarySettings | None = None,
    seed: int = 0,
    on_progress: Progress = no_progress,
) -> Section:
    """Audit the training that a study does, on planted patients.

    Args:
        start: What the study starts from; not changed.
        real: Real patients among whom the canaries are planted.
        training: How the study's sites train.
        settings: How many canaries, guesses and steps.
        seed: Seed of canaries, coins and training.
        on_progress: Told what is being done and how much is done.

    Raises:
        ConfigurationError: If more is to be guessed than planted.
    """
    settings = settings or CanarySettings()
    if settings.guesses > settings.canaries:
        raise ConfigurationError(
            f"{settings.guesses} guesses were asked for about {settings.canaries} canaries.",
            hint="Guess at most as many as are planted.",
        )
    privacy = training.privacy
    steps = settings.steps or training.steps
    mechanism = _mechanism(privacy, steps)
    case = AuditedTraining(
        start=start,
        real=_first_patients(real, settings.patients),
        training=training,
        mechanism=mechanism,
        steps=steps,
        # Each bound holds a little more surely, so that the larger one holds as surely as asked.
        confidence=1 - (1 - settings.confidence) / 2,
        seed=seed,
    )
    by_steps = audit_steps(
        case,
        canaries=settings.gradients,
        guesses=settings.gradient_guesses,
        on_progress=part_of(on_progress, 0, 2),
    )
    by_images = audit_images(case, settings=settings, on_progress=part_of(on_progress, 1, 2))
    on_progress("finished", 1, 1)
    return canaries_section(
        by_steps,
        by_images,
        claim=accounted_epsilon([mechanism], privacy.delta) if mechanism else None,
        confidence=settings.confidence,
        steps=steps,
    )


def _mechanism(privacy: PrivacySettings, steps: int) -> SubsampledGaussian | None:
    if not privacy.enabled:
        return None
    return plan_mechanism(
        epsilon=privacy.epsilon,
        delta=privacy.delta,
        sample_rate=privacy.sample_rate,
        steps=steps,
    )


def _first_patients(images: ImageSet, count: int) -> ImageSet:
    choice = set(list(dict.fromkeys(images.patients))[:count])
    return images.select([i for i, patient in enumerate(images.patients) if patient in choice])
