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
from ..errors import CheckpointError, FedscanError, UpdateRejectedError
from ..federation.protocol import COMPOSITION, DEVIATION, OK, PATIENTS, RoundReply, RoundRequest
from ..model.statistics.composition import SCALE, Composition, cells
from .events import CompositionAsked, CompositionReceived, Observer
from .exchange import exchange

#: Longest wait in seconds: whoever trained until now answers in moments.
_PATIENCE_S = 600.0


def collect_compositions(
    path: Path,
    grid: Grid,
    request: RoundRequest,
    *,
    delta: float,
    limit_s: float,
    observe: Observer,
) -> None:
    """Ask the connected sites, and keep what they release.

    Args:
        path: File for the answers.
        grid: Flower's grid.
        request: Round 0 of the study.
        delta: Delta of the study.
        limit_s: Longest wait for an answer in seconds; ten minutes at most.
        observe: Told who answered, and how.
    """
    found = dict(read_compositions(path)) if path.exists() else {}
    nodes = sorted(grid.get_node_ids())
    observe(CompositionAsked(sites=len(nodes), request=request.digest()))
    contents = dict.fromkeys(nodes, request.to_records())
    for arrival in exchange(grid, contents, f"query.{COMPOSITION}", min(limit_s, _PATIENCE_S)):
        site, code = str(arrival.node), arrival.code
        if arrival.content is not None:
            try:
                reply = RoundReply.from_records(arrival.content)
                site, code = reply.site or site, reply.code
                if code == OK:
                    found[site] = _checked(reply, request, delta)
            except FedscanError as failure:
                code = failure.code
        observe(CompositionReceived(site=site, code=code, seconds=arrival.seconds))
    if found:
        stored = {site: asdict(found[site]) for site in sorted(found)}
        write_atomically(path, json.dumps(stored, indent=2).encode())


def read_compositions(path: Path) -> Mapping[str, Composition]:
    """Read what the sites released, by their names; nothing where none did.

    Raises:
        CheckpointError: If the file is damaged.
    """
    if not path.exists():
        return {}
    try:
        stored = json.loads(path.read_text(encoding="utf-8"))
        found = {
            str(site): Composition(
                patients=tuple(map(float, one["patients"])),
                deviation=float(one["deviation"]),
                noise_multiplier=float(one["noise_multiplier"]),
                delta=float(one["delta"]),
            )
            for site, one in stored.items()
        }
        if any(len(one.patients) != len(cells()) for one in found.values()):
            raise ValueError("another number of cells")
    except (OSError, ValueError, KeyError, TypeError, AttributeError) as error:
        raise CheckpointError(
            f"The sites' compositions in {path} are damaged.",
            hint="Remove the file, and resume the run: the sites repeat their answers at no cost.",
        ) from error
    return found


def _checked(reply: RoundReply, request: RoundRequest, delta: float) -> Composition:
    if reply.request != request.digest() or set(reply.tensors) != {PATIENTS, DEVIATION}:
        raise UpdateRejectedError(f"Site {reply.site!r} does not answer with a composition.")
    patients, deviation = reply.tensors[PATIENTS], reply.tensors[DEVIATION]
    if patients.shape != (len(cells()),) or deviation.shape != (1,):
        raise UpdateRejectedError(f"Site {reply.site!r} answers in another shape.")
    if not (np.isfinite(patients).all() and np.isfinite(deviation).all() and deviation[0] > 0):
        raise UpdateRejectedError(f"Site {reply.site!r} answers with impossible numbers.")
    spread = float(deviation[0])
    return Composition(
        patients=tuple(np.asarray(patients, np.float64).tolist()),
        deviation=spread,
        noise_multiplier=spread * SCALE,
        delta=delta,
    )
