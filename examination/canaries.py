"""Planted patients: how much a training gives away, measured, beside what was accounted for.

Made-up patients, unlike any real ones, are planted each by a fair coin of its own. A copy of the
start trains on them among real patients, with the study's own privacy and the code that sites
train with; an auditor who sees the result guesses the coins. How often the guesses are right
bounds epsilon from below (Steinke et al. 2023, arXiv 2305.08846). A bound above the accounted
epsilon means that the privacy is broken; one far below it that this auditor is weak, or the
accounting cautious.
"""

from __future__ import annotations

import copy
import hashlib
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray
from scipy.ndimage import gaussian_filter

from ..errors import ConfigurationError
from ..evaluation.real_sets import ImageSet
from ..model.description import BODY_PARTS, FINDINGS, MODALITIES, PLANES, Description
from ..model.generator import Generator
from ..model.settings import TrainableSettings
from ..model.trainable import select_trainable
from ..privacy.accounting import epsilon as accounted_epsilon
from ..privacy.auditing import epsilon_lower_bound
from ..privacy.mechanism import SubsampledGaussian
from ..privacy.planning import plan_mechanism
from ..privacy.settings import PrivacySettings
from .membership import loss_errors
from .progress import Progress, no_progress
from .rehearsal import ImageLoss, rehearse
from .section import Grid, Measure, Section
from .settings import CanarySettings

KEY = "canaries"

#: Smoothness of a canary's texture in pixels, and its spread in grey levels.
_SMOOTH, _SPREAD = 1.5, 0.5


@dataclass(frozen=True, kw_only=True)
class Audit:
    """What an audit found.

    Attributes:
        canaries: Coins tossed.
        guesses: Coins guessed.
        correct: Guesses that were right.
        lower_bound: Epsilon below which a claim is refuted.
        accounted: Epsilon of the audited training; ``None`` if it had no privacy.
        confidence: Chance that the bound holds.
        delta: Delta of both.
    """

    canaries: int
    guesses: int
    correct: int
    lower_bound: float
    accounted: float | None
    confidence: float
    delta: float


def examine_canaries(
    start: Generator,
    training: ImageSet,
    *,
    privacy: PrivacySettings,
    trainable: TrainableSettings,
    learning_rate: float,
    settings: CanarySettings | None = None,
    seed: int = 0,
    on_progress: Progress = no_progress,
) -> Section:
    """Audit the training that a study does, on planted patients.

    Args:
        start: What the study starts from; not changed.
        training: Real patients among whom the canaries are planted.
        privacy: The study's privacy: clip norm, sample rate, epsilon; or none.
        trainable: What the study trains.
        learning_rate: How fast its sites train.
        settings: How many canaries, guesses and steps.
        seed: Seed of canaries, coins and training.
        on_progress: Told what is being done and which share is finished.

    Raises:
        ConfigurationError: If more is to be guessed than planted.
    """
    audit = run_audit(
        start,
        training,
        privacy=privacy,
        trainable=trainable,
        learning_rate=learning_rate,
        settings=settings or CanarySettings(),
        seed=seed,
        on_progress=on_progress,
    )
    accounted = Measure(
        name="epsilon_accounted",
        title="Epsilon accounted for the audited training",
        value=audit.accounted,
        better="lower",
        note="" if audit.accounted is not None else "It was trained without privacy.",
    )
    return Section(
        key=KEY,
        title="Does the training leak planted patients?",
        summary=_summary(audit),
        measures=(
            Measure(
                name="epsilon_lower_bound",
                title="Epsilon that the canaries prove",
                value=audit.lower_bound,
                better="lower",
                note=f"With confidence {audit.confidence:.0%} epsilon is at least this.",
            ),
            accounted,
            Measure(
                name="epsilon_excess",
                title="Proven epsilon above the accounted one",
                value=None if audit.accounted is None else audit.lower_bound - audit.accounted,
                better="lower",
                note="Above 0 the privacy is broken, in the code or in the accounting."
                if audit.accounted is not None
                else "Nothing was accounted for: it was trained without privacy.",
            ),
            Measure(
                name="guesses_right",
                title="Guesses about canaries that are right",
                value=audit.correct / audit.guesses,
                better="lower",
                note="0.5 is chance.",
            ),
        ),
        tables=(
            Grid(
                title="Audit in one run",
                columns=("canaries", "guesses", "right", "proven epsilon", "accounted", "delta"),
                rows=(
                    (
                        audit.canaries,
                        audit.guesses,
                        audit.correct,
                        round(audit.lower_bound, 3),
                        None if audit.accounted is None else round(audit.accounted, 3),
                        f"{audit.delta:g}",
                    ),
                ),
            ),
        ),
    )


def run_audit(
    start: Generator,
    training: ImageSet,
    *,
    privacy: PrivacySettings,
    trainable: TrainableSettings,
    learning_rate: float,
    settings: CanarySettings,
    seed: int = 0,
    on_progress: Progress = no_progress,
) -> Audit:
    """Plant canaries, train, guess and bound; see :func:`examine_canaries`."""
    if settings.guesses > settings.canaries:
        raise ConfigurationError(
            f"{settings.guesses} guesses were asked for about {settings.canaries} canaries.",
            hint="Guess at most as many as are planted.",
        )
    rng = np.random.default_rng((seed, 9))
    canaries = make_canaries(settings.canaries, start.image_size, rng)
    planted = rng.random(settings.canaries) < 0.5
    real = _first_patients(training, settings.patients)
    mechanism = _mechanism(privacy, settings.steps)
    on_progress("training among canaries", 0.0)
    trained = copy.deepcopy(start)
    parameters = select_trainable(trained, trainable)
    among = _joined(real, canaries.select(np.flatnonzero(planted)))
    rehearse(
        parameters,
        ImageLoss.of(trained, among, draws=privacy.draws_per_patient),
        mechanism=mechanism,
        sample_rate=privacy.sample_rate,
        steps=settings.steps,
        # Chosen without looking at the coins.
        expected_patients=real.patient_count + settings.canaries / 2,
        clip_norm=privacy.clip_norm,
        learning_rate=learning_rate,
        key=hashlib.sha256(f"audit {seed}".encode()).digest(),
    )
    on_progress("guessing which canaries were planted", 0.8)
    scores = _suspicion(start, trained, canaries, settings, seed)
    correct = _right_guesses(scores, planted, settings.guesses)
    on_progress("finished", 1.0)
    return Audit(
        canaries=settings.canaries,
        guesses=2 * (settings.guesses // 2),
        correct=correct,
        lower_bound=epsilon_lower_bound(
            canaries=settings.canaries,
            guesses=2 * (settings.guesses // 2),
            correct=correct,
            delta=privacy.delta,
            confidence=settings.confidence,
        ),
        accounted=accounted_epsilon([mechanism], privacy.delta) if mechanism else None,
        confidence=settings.confidence,
        delta=privacy.delta,
    )


def make_canaries(count: int, side: int, rng: np.random.Generator) -> ImageSet:
    """Make patients of one image each: random textures that no body has.

    They are alike in everything but the pattern, so that none is easier to learn than others;
    captions and positions differ, so that to learn one says little of the next.

    Args:
        count: How many.
        side: Side of the images in pixels.
        rng: Randomness.
    """
    fields = gaussian_filter(rng.normal(size=(count, side, side)), (0, _SMOOTH, _SMOOTH))
    fields -= fields.mean(axis=(1, 2), keepdims=True)
    fields *= _SPREAD / fields.std(axis=(1, 2), keepdims=True)
    kinds = [
        Description(modality=modality, body_part=part, plane=plane, finding=finding)
        for finding in FINDINGS
        for plane in PLANES
        for part in BODY_PARTS
        for modality in MODALITIES
        if modality != "X-ray"
    ]
    order = rng.permutation(len(kinds))
    return ImageSet(
        images=np.clip(fields, -1, 1).astype(np.float32),
        descriptions=tuple(kinds[order[number % len(kinds)]] for number in range(count)),
        positions=rng.random(count).astype(np.float32),
        patients=tuple(f"canary {number:05}" for number in range(count)),
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
    chosen = set(list(dict.fromkeys(images.patients))[:count])
    return images.select([i for i, patient in enumerate(images.patients) if patient in chosen])


def _joined(real: ImageSet, canaries: ImageSet) -> ImageSet:
    return replace(
        canaries,
        images=np.concatenate([real.images, canaries.images]),
        descriptions=real.descriptions + canaries.descriptions,
        positions=np.concatenate([real.positions, canaries.positions]),
        patients=real.patients + canaries.patients,
    )


def _suspicion(
    start: Generator, trained: Generator, canaries: ImageSet, settings: CanarySettings, seed: int
) -> NDArray[np.float64]:
    """How much of a canary's loss the training took away, as a share of it."""
    before, after = (
        loss_errors(
            generator,
            canaries,
            timesteps=settings.timesteps,
            noises=settings.noises,
            seed=seed,
        )
        for generator in (start, trained)
    )
    share: NDArray[np.float64] = np.log(np.maximum(before, 1e-12) / np.maximum(after, 1e-12))
    return share


def _right_guesses(scores: NDArray[np.float64], planted: NDArray[np.bool_], guesses: int) -> int:
    """Guess that the most suspicious were planted, and the least suspicious were not."""
    order = np.argsort(scores)
    half = guesses // 2
    return int((~planted[order[:half]]).sum() + planted[order[len(order) - half :]].sum())


def _summary(audit: Audit) -> str:
    guessed = (
        f"{audit.correct} of {audit.guesses} guesses about {audit.canaries} planted patients are "
        f"right: with confidence {audit.confidence:.0%} this training's epsilon is at least "
        f"{audit.lower_bound:.2f} at delta {audit.delta:g}."
    )
    if audit.accounted is None:
        verdict = (
            "It was trained without privacy, so nothing bounds what it can give away."
            if audit.lower_bound > 0
            else "It was trained without privacy; that the auditor found nothing proves nothing."
        )
    elif audit.lower_bound > audit.accounted:
        verdict = (
            f"That is above the accounted {audit.accounted:.2f}: THE PRIVACY IS BROKEN, in the "
            "code or in the accounting."
        )
    else:
        verdict = (
            f"The accounted epsilon is {audit.accounted:.2f}, and nothing contradicts it. The "
            "bound is what this auditor could prove, not what an attacker may learn."
        )
    return f"{guessed} {verdict}"
