"""What a study takes of a machine, told before anything is read or trained."""

from __future__ import annotations

from dataclasses import dataclass

import torch

from ...config.study import Study
from ...model.computing.devices import resolve_device
from ...model.computing.memory import free_memory, measure_need, open_outline, plan_passes
from ...model.outline import read_image_sizes
from ...privacy.engines import most_rows
from ...server.fitting import require_fitting
from ...server.job import base_of

#: Bytes of a number of an update, by the form in which it travels.
_WIRE_BYTES = {"float32": 4, "bfloat16": 2, "int8": 1}


@dataclass(frozen=True, kw_only=True)
class MemoryPlan:
    """What a study takes at one site; sizes in bytes.

    Attributes:
        device: Where it would compute.
        image_size: Side of the images in pixels.
        numbers: Numbers that are trained.
        update: What a site sends in a round.
        weights: The generator in memory.
        training: What is kept beside it of what trains.
        row: What one image takes that is computed at once.
        rows: Images at once; whole patients.
        computed_twice: Whether most is computed twice, to keep less of it.
        free: Memory that is free now.
        fits: Whether the plan needs no more than that.
    """

    device: str
    image_size: int
    numbers: int
    update: int
    weights: int
    training: int
    row: int
    rows: int
    computed_twice: bool
    free: int
    fits: bool


def plan_memory(study: Study, device: str = "auto") -> MemoryPlan:
    """Measure what a study takes, from the configurations of its base alone.

    Args:
        study: The study; its base must be on this machine.
        device: Where it would compute: auto, cpu, cuda, cuda:N or mps.

    Raises:
        ConfigurationError: If there is no such device, or the study does not fit the base.
        ModelError: If there is no such base.
    """
    place, base = torch.device(resolve_device(device)), base_of(study)
    require_fitting(study, read_image_sizes(base))
    need = measure_need(open_outline(base, study.data.image_size), study.trainable)
    draws, free = study.privacy.draws_per_patient, free_memory(place)
    # The weights are not in their place yet.
    room = max(0, free - need.weights)
    passes = plan_passes(need, room, draws=draws, most=most_rows(place.type))
    row = need.row_computed_twice if passes.twice else need.row
    numbers = need.vector // 4
    return MemoryPlan(
        device=str(place),
        image_size=study.data.image_size,
        numbers=numbers,
        update=numbers * _WIRE_BYTES[study.federation.wire],
        weights=need.weights,
        training=need.training,
        row=row,
        rows=passes.rows,
        computed_twice=passes.twice,
        free=free,
        fits=need.training + passes.rows * row <= room,
    )
