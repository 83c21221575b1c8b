"""A joint study's statistics: the one sum before its first round, and what it stands for."""

from __future__ import annotations

import json
import math
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from safetensors import SafetensorError, safe_open
from safetensors.numpy import save

from ...common.files import write_atomically
from ...errors import CheckpointError
from ...federation.protocol import STATISTICS, RoundRequest
from ...model.statistics.composition import Composition, FinerWords, scale
from ...model.statistics.group_means import CLIP_NORM
from ...model.statistics.once import CELLS, COUNT, GROUPS, part_sizes, split_parts
from ...privacy.joint.grid import STATISTICS_BITS, SumGrid
from ...privacy.joint.plan import JointPlan
from ..events import StatisticsAsked
from .secure_sum import SecureSums

_ABOUT = "about"


@dataclass(frozen=True, kw_only=True, eq=False)
class JointStatistics:
    """What the sites counted together.

    Attributes:
        patients: Noised number of all sites' patients, at least 1.
        groups: The warm-up's sums per group, float32 ``[N]``; ``None`` where none were asked for.
        groups_deviation: Deviation of the noise in each of them, at least.
        composition: Numbers of patients for a data card; ``None`` where none were asked for.
        members: The sites whose patients these are.
    """

    patients: float
    groups: NDArray[np.float32] | None
    groups_deviation: float
    composition: Composition | None
    members: tuple[str, ...]


def joint_statistics(
    path: Path,
    sums: SecureSums,
    request: RoundRequest,
    plan: JointPlan,
    finer: FinerWords,
    delta: float,
) -> JointStatistics:
    """Sum the sites' statistics, or read what an earlier run kept.

    Args:
        path: File that keeps the sum.
        sums: Asks the sites.
        request: Round 0 of the study.
        plan: The noise of every site, at least.
        finer: The study's own words, which the composition counts.
        delta: Delta of the study.

    Raises:
        CheckpointError: If the kept sum is damaged.
        RoundFailedError: If too few sites could give their parts.
    """
    sizes = part_sizes(
        groups=plan.statistics is not None, finer=finer if plan.composition else None
    )
    if path.exists():
        values, members = _kept(path, sum(sizes.values()))
    else:
        first = _attempt_of(request, 1)
        sums.observe(StatisticsAsked(sites=len(sums.roster.names), request=first.digest()))
        total = sums.total(
            lambda attempt: _attempt_of(request, attempt),
            f"query.{STATISTICS}",
            sum(sizes.values()),
        )
        values, members = total.values, total.members
        about = json.dumps({"members": list(members)})
        write_atomically(path, save({"sum": values}, metadata={_ABOUT: about}))
    parts = split_parts(SumGrid(1.0, STATISTICS_BITS).values(values), sizes)

    def deviation(share: float) -> float:
        return share * math.sqrt(len(members))

    statistics, composition = plan.statistics, None
    if plan.composition is not None:
        noise = deviation(plan.composition.own.noise_multiplier)
        composition = Composition(
            patients=tuple((parts[CELLS] / scale(finer)).tolist()),
            deviation=noise / scale(finer),
            noise_multiplier=noise,
            delta=delta,
            finer=finer,
        )
    return JointStatistics(
        patients=max(1.0, float(parts[COUNT][0])),
        groups=(parts[GROUPS] * CLIP_NORM).astype(np.float32) if statistics else None,
        groups_deviation=deviation(statistics.own.noise_multiplier) * CLIP_NORM
        if statistics
        else 0.0,
        composition=composition,
        members=members,
    )


def _attempt_of(request: RoundRequest, attempt: int) -> RoundRequest:
    return RoundRequest(
        round=0,
        rounds=request.rounds,
        base=request.base,
        terms=request.terms,
        tensors={},
        attempt=attempt,
    )


def _kept(path: Path, size: int) -> tuple[NDArray[np.uint32], tuple[str, ...]]:
    try:
        with safe_open(path, "numpy") as file:
            values = file.get_tensor("sum")
            members = json.loads((file.metadata() or {})[_ABOUT])["members"]
        if values.shape != (size,) or values.dtype != np.uint32:
            raise ValueError("of another study")
        return values, tuple(map(str, members))
    except (OSError, SafetensorError, ValueError, KeyError, TypeError) as error:
        raise CheckpointError(
            f"The statistics in {path} are damaged.",
            hint="Remove the file: the sites repeat their parts at no cost while they keep them.",
        ) from error
