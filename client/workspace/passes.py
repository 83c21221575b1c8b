"""How many rows go through a site's network at once: as many as fit, and always the same number.

The last bits of a gradient may depend on how many rows share a pass, and an answer that is made
again must have the same bytes. So a study's number is chosen once at a site, kept, and halved only
where memory runs out: then the answer is begun anew.
"""

from __future__ import annotations

import json
import logging
from collections.abc import Callable
from dataclasses import asdict, replace
from pathlib import Path
from typing import TypeVar
from weakref import WeakKeyDictionary

import torch

from ...common.files import write_atomically
from ...errors import ModelError
from ...model.computing.memory import (
    MemoryNeed,
    Passes,
    forget_unused,
    free_memory,
    is_out_of_memory,
    measure_need,
    plan_passes,
)
from ...model.settings import TrainableSettings
from ...privacy.engines import most_rows
from ..site import Site
from ..terms import StudyTerms
from .opened import OpenGenerator

_log = logging.getLogger(__name__)
Result = TypeVar("Result")


def in_passes(
    site: Site,
    study: str,
    terms: StudyTerms,
    base_model: OpenGenerator,
    compute: Callable[[int], Result],
) -> Result:
    """Compute with the rows at once that a study has at a site, with fewer if memory runs out.

    Args:
        site: The site.
        study: Digest of the study.
        terms: Its terms.
        base_model: The generator that it trains.
        compute: Computes all of an answer, with so many rows at once; may be called again.

    Raises:
        ModelError: If memory runs out with the rows of a single patient.
    """
    path = site.passes(study)
    draws, device = terms.privacy.draws_per_patient, base_model.generator.device
    passes = _chosen(path) or _choice(site, terms, base_model)
    while True:
        _keep(path, passes)
        base_model.generator.compute_twice(passes.twice)
        try:
            return compute(passes.rows)
        except (RuntimeError, MemoryError) as error:
            if not is_out_of_memory(error):
                raise
            smaller = _smaller(passes, draws)
            if smaller is None:
                raise ModelError(
                    f"The memory of {device} does not hold the {draws} rows of one patient.",
                    hint="Use another device, or take part in studies with fewer draws per patient "
                    "or smaller images.",
                ) from error
        _log.warning("memory ran out: the answer is begun anew with %d rows", smaller.rows)
        forget_unused(device)
        passes = smaller


def _choice(site: Site, terms: StudyTerms, base_model: OpenGenerator) -> Passes:
    draws, device = terms.privacy.draws_per_patient, base_model.generator.device
    if site.rows_at_once:
        return Passes(rows=max(draws, site.rows_at_once))
    need = _need(base_model, terms.trainable)
    free = int(_free(site, device, need.weights) * site.memory_share)
    return plan_passes(need, free, draws=draws, most=most_rows(device.type))


def _free(site: Site, device: torch.device, weights: int) -> int:
    """Return what is free on each of a site's devices, the generator on it."""
    first, others = free_memory(device), site.other_devices
    if device.type == "cpu":  # they share it, and each has weights of its own
        return max(0, first - weights * len(others)) // (1 + len(others))
    return min([first, *(free_memory(torch.device(one)) - weights for one in others)])


#: Measured once for all sites that share a process, and forgotten with the generator.
_needs: WeakKeyDictionary[OpenGenerator, MemoryNeed] = WeakKeyDictionary()


def _need(base_model: OpenGenerator, trainable: TrainableSettings) -> MemoryNeed:
    if base_model not in _needs:
        _needs[base_model] = measure_need(base_model.generator, trainable)
    return _needs[base_model]


def _smaller(passes: Passes, draws: int) -> Passes | None:
    if passes.rows > draws:
        return replace(passes, rows=max(draws, passes.rows // 2))
    return None if passes.twice else replace(passes, twice=True)


def _chosen(path: Path) -> Passes | None:
    try:
        content = json.loads(path.read_text(encoding="utf-8"))
        return Passes(rows=int(content["rows"]), twice=bool(content["twice"]))
    except (OSError, ValueError, KeyError, TypeError):
        return None


def _keep(path: Path, passes: Passes) -> None:
    if _chosen(path) != passes:
        path.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
        write_atomically(path, (json.dumps(asdict(passes)) + "\n").encode())
