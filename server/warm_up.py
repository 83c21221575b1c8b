"""The stage before round 1: from the sites' noised statistics to a base that is closer to them."""

from __future__ import annotations

import copy
import json
from collections.abc import Callable, Mapping
from pathlib import Path
from types import MappingProxyType

import numpy as np
from numpy.typing import NDArray
from safetensors import SafetensorError, safe_open
from safetensors.numpy import load_file, save
from torch import nn

from ..common.files import write_atomically
from ..config.federation import WarmUpSettings
from ..errors import CheckpointError, ConfigurationError
from ..federation.protocol import Tensors
from ..model.computing.effort import is_too_slow
from ..model.generator import Generator
from ..model.integrity.finite import require_finite
from ..model.settings import TrainableSettings
from ..model.statistics.group_means import GroupMean, all_groups, estimate_means
from ..model.statistics.warm_up import moved_samples, train_on_moved_samples
from ..model.trainable import select_trainable
from ..model.words.learnt import Combination
from .events import Observer, WarmedUp

_DIVERGED_HINT = (
    "Begin the study again with a smaller warm_up.learning_rate: the sites repeat their statistics "
    "at no cost."
)

#: Keys of the kept file's metadata.
_GROUPS, _SEEN = "groups", "seen"


def require_feasible_warm_up(generator: Generator) -> None:
    """Refuse a warm-up that would keep a coordinator's CPU for hours, before a site is asked.

    Args:
        generator: The study's base, on the coordinator's device.

    Raises:
        ConfigurationError: If it has too many weights for a CPU.
    """
    if is_too_slow(generator):
        raise ConfigurationError(
            "The study begins with a warm-up, which would take this coordinator's CPU hours with a "
            "base of so many weights.",
            hint="Leave it out (--set warm_up.enabled=false --set privacy.statistics_share=0), or "
            "give the coordinator a GPU (--device cuda).",
        )


def warm_up(
    generator: Generator,
    means: list[GroupMean],
    settings: WarmUpSettings,
    *,
    seed: int,
) -> Tensors:
    """Train a copy of the base on its own samples, moved to the means.

    Args:
        generator: The public base; not changed.
        means: The groups' noised means.
        settings: How much is drawn and trained.
        seed: Seed of all draws.

    Returns:
        The changed tensors, by their names in the base.
    """
    clone = copy.deepcopy(generator)
    parameters: Mapping[str, nn.Parameter] = select_trainable(
        clone, TrainableSettings(subset=settings.subset, lora_rank=1)
    )
    rows = moved_samples(generator, means, images=settings.images, seed=seed)
    train_on_moved_samples(
        clone,
        parameters,
        rows,
        steps=settings.steps,
        learning_rate=settings.learning_rate,
        seed=seed,
    )
    return {name: value.detach().cpu().numpy() for name, value in parameters.items()}


def warm_start(
    path: Path,
    generator: Generator,
    collect: Callable[[], tuple[NDArray[np.float32], float]],
    settings: WarmUpSettings,
    *,
    seed: int,
    observe: Observer,
) -> Tensors:
    """Warm the base up with the sites' statistics, or read what an earlier run made.

    Args:
        path: File that keeps the result, so that a resumed run starts from the same tensors.
        generator: The public base.
        collect: Asks the sites for their statistics; returns the sum of the sums, and the deviation
            of the noise in each.
        settings: The warm-up's settings.
        seed: The study's seed.
        observe: Told what happens.

    Returns:
        Tensors that every round starts from, by their names in the base.

    Raises:
        CheckpointError: If the kept result is damaged.
        ModelError: If the warm-up's training diverged.
        RoundFailedError: If too few sites answered.
    """
    if path.exists():
        try:
            return MappingProxyType(load_file(path))
        except (OSError, SafetensorError) as error:
            raise CheckpointError(
                f"The warm-up in {path} is damaged.",
                hint="Delete the file: the sites repeat their statistics at no cost.",
            ) from error
    total, deviation = collect()
    means = estimate_means(total, all_groups(), deviation)
    tensors = dict(warm_up(generator, means, settings, seed=seed)) if means else {}
    for name, value in tensors.items():
        require_finite(value, f"The warm-up of {name} failed", _DIVERGED_HINT)
    observe(WarmedUp(groups=len(means)))
    # Also where nothing was changed: a run resumed later could not ask the sites again, whose
    # secrets of the statistics are erased by then.
    groups = sorted({(m.group.modality, m.group.body_part, m.group.finding) for m in means})
    metadata = {_GROUPS: str(len(means)), _SEEN: json.dumps(groups)}
    write_atomically(path, save(tensors, metadata=metadata))
    return MappingProxyType(tensors)


def regions_seen(path: Path) -> set[Combination]:
    """Return what the groups' means of a kept warm-up showed together; empty where none is told.

    The means stand clear of their noise, so that they tell no more than the statistics did.
    """
    try:
        with safe_open(path, "numpy") as file:
            groups = json.loads((file.metadata() or {}).get(_SEEN, "[]"))
        return {(str(modality), str(place), str(finding)) for modality, place, finding in groups}
    except (OSError, SafetensorError, ValueError, TypeError):
        return set()


def groups_used(path: Path) -> int | None:
    """Return how many groups' means a kept warm-up used; ``None`` without a readable one."""
    try:
        with safe_open(path, "numpy") as file:
            return int((file.metadata() or {})[_GROUPS])
    except (OSError, SafetensorError, KeyError, ValueError):
        return None
