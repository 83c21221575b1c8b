"""The end of a joint study: every site is told that it may erase its keys, and says that it has.

From then on nobody can take the masks off what was sent, whatever was kept of it and whoever breaks
into one site. A site that is away keeps its keys until its steward ends the study there.
"""

from __future__ import annotations

import json
from collections.abc import Sequence
from pathlib import Path

from ...common.files import write_atomically
from ...errors import ProtocolError
from ...federation.protocol import OK, READY, STUDY_END, RoundReply, RoundRequest
from ..asking import Sites
from ..events import Observer
from ..exchange import UNAVAILABLE
from ..patience import MOST_REPEATS
from .events import EndTold, KeysErased

#: Longest wait in seconds: whoever summed until now erases a few files.
_PATIENCE_S = 120.0


def end_study(
    path: Path,
    sites: Sites,
    request: RoundRequest,
    names: Sequence[str],
    observe: Observer,
) -> None:
    """Tell the sites of a roster that the study is over, and keep which of them erased their keys.

    Args:
        path: File that keeps it.
        sites: The sites.
        request: Round 0 of the study.
        names: The roster's sites.
        observe: Told who erased.
    """
    codes = dict.fromkeys(names, UNAVAILABLE) | dict.fromkeys(erased_at(path), OK)
    nodes_heard: set[int] = set()
    for _ in range(1 + MOST_REPEATS):
        waiting = {name for name, code in codes.items() if code == UNAVAILABLE}
        nodes = [
            node
            for node in sorted(sites.grid.get_node_ids())
            # Where the network knows no names, a node's is learnt from its answer.
            if node not in nodes_heard
            and ((name := sites.name(node)) in waiting or name not in codes)
        ]
        if not waiting or not nodes:
            break
        observe(EndTold(sites=len(nodes), request=request.digest()))
        for answer in sites.ask(
            dict.fromkeys(nodes, request.to_records()),
            f"query.{STUDY_END}",
            _PATIENCE_S,
            lambda reply: _require_yes(reply, request),
        ):
            if answer.site in codes:
                codes[answer.site] = answer.code
            if answer.code != UNAVAILABLE:
                nodes_heard.add(answer.node)
            observe(KeysErased(site=answer.site, code=answer.code, seconds=answer.seconds))
    write_atomically(path, json.dumps(codes, indent=2, sort_keys=True).encode())
    for name, code in codes.items():
        if code == UNAVAILABLE:
            observe(KeysErased(site=name, code=code, seconds=0.0))


def erased_at(path: Path) -> list[str]:
    """Return the sites that said that they erased their keys, sorted; none if nobody was asked."""
    return sorted(site for site, code in _codes(path).items() if code == OK)


def kept_at(path: Path) -> dict[str, str]:
    """Return the sites that did not say so, with the code of what they said instead."""
    return {site: code for site, code in sorted(_codes(path).items()) if code != OK}


def _codes(path: Path) -> dict[str, str]:
    try:
        return {str(site): str(code) for site, code in json.loads(path.read_bytes()).items()}
    except (FileNotFoundError, ValueError, AttributeError):
        return {}  # they are asked again, and say the same


def _require_yes(reply: RoundReply, request: RoundRequest) -> None:
    if reply.request != request.digest() or set(reply.tensors) != {READY}:
        raise ProtocolError(f"Site {reply.site!r} does not answer that its keys are erased.")
