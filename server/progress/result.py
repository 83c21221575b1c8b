"""A study's result: saved, opened again, and seen to be what was trained."""

from __future__ import annotations

import math
from typing import Any

import torch

from ...config.study import Study
from ...errors import ModelError
from ...model.computing.effort import is_too_slow
from ...model.generator import Generator
from ...model.integrity.movement import (
    precision_of,
    probe,
    require_same,
    require_same_image,
    share_moved,
    small_generation,
)
from ...model.storage import load_generator, save_generator
from ...model.trainable import lora_updates, merge_lora
from ...model.words.learnt import KEY as LEARNT
from ...model.words.learnt import Learnt
from ..events import NothingMoved, Observer
from ..job import WARM_UP, ServerJob
from ..terms import is_joint
from ..warm_up import regions_seen


def save_result(
    generator: Generator, study: Study, job: ServerJob, *, warmed_up: bool, observe: Observer
) -> str:
    """Save a trained generator, and compare what it draws when it is opened again.

    Args:
        generator: The generator with its last weights; low-rank updates are merged into them.
        study: The study.
        job: Where it is saved, and what it started from.
        warmed_up: Whether a warm-up changed the base's own layers, so that low-rank updates are
            none of the base.
        observe: Told if nothing moved.

    Returns:
        Digest of a small generation; empty where drawing one takes too long.

    Raises:
        ModelError: If it cannot be saved, or draws something else when it is opened again, or a
            weight moved by no finite amount.
    """
    device = generator.device
    lora = {} if warmed_up else lora_updates(generator)
    merge_lora(generator)
    learnt = (generator.learnt or Learnt(complete=False)).with_study(
        regions=regions_seen(job.run / WARM_UP)
    )
    prediction, kind = probe(generator), precision_of(generator)
    save_generator(
        generator,
        job.generator,
        _card(study) | {LEARNT: learnt.to_card()},
        half_precision=kind == torch.float16,
        lora=lora,
    )
    again = load_generator(job.generator).to(device)
    require_same(prediction, again, kind)
    image = ""
    if not is_too_slow(again):
        # By now the trained weights are rounded as they were saved.
        image = require_same_image(small_generation(generator), again, kind)
    if study.trainable.subset != "adapters" and not _share_moved(job):
        observe(NothingMoved())
    return image


def _share_moved(job: ServerJob) -> float:
    share = share_moved(job.base, job.generator)
    if not math.isfinite(share):
        raise ModelError(
            "The training moved the weights by no finite amount.",
            hint="Train with a smaller local.learning_rate.",
        )
    return share


def _card(study: Study) -> dict[str, Any]:
    """What the model card says of the training; all of it public."""
    joint = {"epsilon_if_all_other_sites_collude": study.privacy.collusion_epsilon}
    return {
        "study": study.name,
        "rounds": study.federation.rounds,
        "private": study.privacy.enabled,
        "epsilon": study.privacy.epsilon if study.privacy.enabled else None,
        **(joint if is_joint(study) else {}),
        "delta": study.privacy.delta if study.privacy.enabled else None,
        "trained": study.trainable.subset,
        **({"trained_because": study.outlook.reason} if study.outlook.reason else {}),
    }
