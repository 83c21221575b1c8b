"""Asking the sites once, at a study's end, whom it was trained on: noised numbers for a data card.

Each site adds the noise, pays for it and decides whether to answer. Nothing depends on the
answers: a study is as finished without them.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import asdict
from pathlib import Path

import numpy as np
from flwr.serverapp import Grid

from ..common.files import write_atomically
from ..errors import CheckpointError
from ..federation.protocol import COMPOSITION, PATIENTS, RoundReply, RoundRequest
from ..model.statistics.composition import Composition, FinerWords, cells, scale
from .asking import Sites
from .events import CompositionAsked, CompositionReceived, Observer
from .noised_sums import check_noised_sums

#: Longest wait in seconds: whoever trained until now answers in moments.
_PATIENCE_S = 600.0


def collect_compositions(
    path: Path,
    grid: Grid,
    request: RoundRequest,
    *,
    finer: FinerWords,
    delta: float,
    limit_s: float,
    observe: Observer,
) -> None:
    """Ask the connected sites, and keep what they release.

    Args:
        path: File for the answers.
        grid: Flower's grid.
        request: Round 0 of the study.
        finer: The study's own words, which sites count besides those of the frame.
        delta: Delta of the study.
        limit_s: Longest wait for an answer in seconds; ten minutes at most.
        observe: Told who answered, and how.
    """
    compositions = dict(read_compositions(path)) if path.exists() else {}
    sites, nodes = Sites(grid=grid), sorted(grid.get_node_ids())
    observe(CompositionAsked(sites=len(nodes), request=request.digest()))
    answers: list[tuple[str, Composition]] = []
    for answer in sites.ask(
        dict.fromkeys(nodes, request.to_records()),
        f"query.{COMPOSITION}",
        min(limit_s, _PATIENCE_S),
        lambda reply: _composition(reply, request, finer, delta),
    ):
        if answer.result is not None:
            answers.append((answer.site, answer.result))
        observe(
            CompositionReceived(
                site=answer.site, code=answer.code, seconds=answer.seconds, ledger=answer.ledger
            )
        )
    compositions |= sites.refuse_shared_names(answers)
    if compositions:
        content = {site: asdict(compositions[site]) for site in sorted(compositions)}
        write_atomically(path, json.dumps(content, indent=2).encode())


def read_compositions(path: Path) -> Mapping[str, Composition]:
    """Read what the sites released, by their names; nothing where none did.

    Raises:
        CheckpointError: If the file is damaged.
    """
    if not path.exists():
        return {}
    try:
        content = json.loads(path.read_text(encoding="utf-8"))
        compositions = {str(site): Composition.from_plain(one) for site, one in content.items()}
    except (OSError, ValueError, KeyError, TypeError, AttributeError) as error:
        raise CheckpointError(
            f"The sites' compositions in {path} are damaged.",
            hint="Remove the file, and resume the run: the sites repeat their answers at no cost.",
        ) from error
    return compositions


def _composition(
    reply: RoundReply, request: RoundRequest, finer: FinerWords, delta: float
) -> Composition:
    sums = reply.tensors.get(PATIENTS)
    if sums is not None and sums.shape == (len(cells()),):
        finer = {}  # an earlier release counts the words of the frame alone
    patients, deviation = check_noised_sums(reply, request, PATIENTS, len(cells(finer)))
    return Composition(
        patients=tuple(patients.astype(np.float64).tolist()),
        deviation=deviation,
        noise_multiplier=deviation * scale(finer),
        delta=delta,
        finer=finer,
    )
