"""What sites answer in a joint sum, checked; and what they are asked, without a model."""

from __future__ import annotations

import numpy as np

from ...errors import ProtocolError
from ...federation.joint.messages import RevealRequest, from_rows
from ...federation.joint.roster import Roster
from ...federation.protocol import ENCAPSULATED, READY, SUM, RoundReply, RoundRequest


def read_encapsulations(reply: RoundReply, digest: str, roster: Roster) -> dict[str, bytes]:
    """Return by name what a site that is ready encapsulated to others.

    Raises:
        ProtocolError: If it answers another request, or in another form.
    """
    if reply.request != digest or not {READY} <= set(reply.tensors) <= {READY, ENCAPSULATED}:
        raise ProtocolError(f"Site {reply.site!r} does not answer that it is ready.")
    if reply.site not in roster.keys:
        raise ProtocolError(f"Site {reply.site!r} is not in the roster.")
    later = [name for name in roster.names if name > reply.site]
    if not roster.has_mlkem or not later:
        return {}
    if ENCAPSULATED not in reply.tensors:
        raise ProtocolError(f"Site {reply.site!r} encapsulates nothing.")
    return from_rows(reply.tensors[ENCAPSULATED], later)


def without_tensors(request: RoundRequest) -> RoundRequest:
    """Return a request that names the same study, round and attempt, and carries nothing."""
    return RoundRequest(
        round=request.round,
        rounds=request.rounds,
        base=request.base,
        terms=request.terms,
        tensors={},
        start_digest=request.start_digest,
        attempt=request.attempt,
    )


def require_part(reply: RoundReply, reveal: RevealRequest, size: int) -> None:
    """Refuse an answer that is not a masked part of a sum.

    Raises:
        ProtocolError: If it is not.
    """
    part = reply.tensors.get(SUM)
    if reply.request != reveal.message or part is None or len(reply.tensors) != 1:
        raise ProtocolError(f"Site {reply.site!r} does not answer with its part of the sum.")
    if part.shape != (size,) or part.dtype != np.uint32:
        raise ProtocolError(f"Site {reply.site!r} answers with a part of another length or type.")
