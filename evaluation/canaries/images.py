"""Planted images: what a finished generator gives away of made-up patients.

They are random textures, unlike any real images. A copy of the start trains on them among real
patients, with the loss, settings and privacy of the study's sites; an auditor with the weights
before and after guesses whose loss the training took away.
"""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from dataclasses import replace

import numpy as np
from numpy.typing import NDArray
from scipy.ndimage import gaussian_filter
from torch import nn

from ...common.progress import Progress, no_progress
from ...model.description import BODY_PARTS, FINDINGS, MODALITIES, PLANES, Description
from ...model.generator import Generator
from ...model.patient_loss import DiffusionLoss
from ...privacy.gradients import patient_gradient
from ...privacy.stream import SecretStream
from ..measures.image_sets import ImageSet
from ..memory.membership import less_reference, loss_errors
from ..settings import CanarySettings
from .audit import Audit
from .audited import AuditedTraining
from .image_rows import image_loss
from .rehearsal import rehearse

#: Smoothness of a canary's texture in pixels, and its spread in grey levels.
_SMOOTH, _SPREAD = 1.5, 0.5
#: How often each canary is looked at for a gradient: its draws may miss all of what trains.
_LOOKS = 8


def audit_images(
    subject: AuditedTraining,
    *,
    settings: CanarySettings,
    on_progress: Progress = no_progress,
) -> Audit:
    """Plant images, train, and guess.

    Args:
        subject: The training.
        settings: How many canaries, guesses and losses.
        on_progress: Told about the progress.
    """
    start, training = subject.start, subject.training
    rng = np.random.default_rng((subject.seed, 9))
    canaries = make_canaries(settings.canaries, start.image_size, rng)
    is_planted = rng.random(settings.canaries) < 0.5
    on_progress("training among planted images", 0, 10)
    result, parameters = subject.open_copy()
    everybody = image_loss(result, _joined(subject.real, canaries), training.loss)
    away = {canaries.patients[number] for number in np.flatnonzero(~is_planted)}
    key = hashlib.sha256(f"audit {subject.seed}".encode()).digest()
    rehearse(
        parameters,
        replace(everybody, patients=tuple(p for p in everybody.patients if p not in away)),
        training,
        mechanism=subject.mechanism,
        steps=subject.steps,
        expected_patients=subject.expected_patients(settings.canaries),
        key=key,
    )
    on_progress("guessing which images were planted", 8, 10)
    return subject.judge(
        _suspicion(start, result, canaries, settings, subject.seed),
        is_planted,
        guesses=settings.guesses,
        silent=_silence(
            parameters, replace(everybody, patients=canaries.patients), SecretStream(key, "looks")
        ),
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


def _joined(real: ImageSet, canaries: ImageSet) -> ImageSet:
    return replace(
        canaries,
        images=np.concatenate([real.images, canaries.images]),
        descriptions=real.descriptions + canaries.descriptions,
        positions=np.concatenate([real.positions, canaries.positions]),
        patients=real.patients + canaries.patients,
        masks=(*real.masks, *(None,) * len(canaries)) if real.masks else (),
    )


def _silence(
    parameters: Mapping[str, nn.Parameter], loss: DiffusionLoss, stream: SecretStream
) -> str:
    """Say why canaries cannot leave a trace: none of them moves what trains; empty if one does."""
    for look in range(_LOOKS):
        for number in range(len(loss.patients)):
            gradient = patient_gradient(parameters, loss, number, stream.child(f"look {look}"))
            if any(part is not None and bool(part.any()) for part in gradient):
                return ""
    return "no canary's loss has a gradient in what the study trains"


def _suspicion(
    start: Generator, result: Generator, canaries: ImageSet, settings: CanarySettings, seed: int
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
        for generator in (start, result)
    )
    share: NDArray[np.float64] = np.log(np.maximum(before, 1e-12) / np.maximum(after, 1e-12))
    share[less_reference(after, before) == 0] = 0.0
    return share
