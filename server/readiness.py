"""Asking the sites whether a study could begin, before any of them pays for it.

A study that too few sites can take part in would fail in its first round, and those that could
would have paid for nothing.
"""

from __future__ import annotations

from collections.abc import Callable

from flwr.serverapp import Grid

from ..config.federation import FederationSettings
from ..errors import UpdateRejectedError
from ..federation.protocol import READINESS, READY, RoundReply, RoundRequest
from .before_rounds import Question, ask_until_enough
from .events import Observer, ReadinessAsked, ReadinessReceived


def require_ready(
    grid: Grid,
    connect: Callable[[], list[int]],
    request: RoundRequest,
    federation: FederationSettings,
    observe: Observer,
) -> None:
    """Ask until enough sites have said that the study could begin with them.

    Args:
        grid: Flower's grid.
        connect: Waits for the sites and returns their nodes.
        request: What the sites would be asked first: round 0 for the warm-up's statistics, else
            round 1. It carries no tensors.
        federation: How many sites are needed, and how long to wait.
        observe: Told who answered, and how.

    Raises:
        RoundFailedError: If too few could begin. No site has paid for anything.
    """
    question = Question(
        kind=READINESS,
        usable="could begin",
        parse=lambda reply: _yes(reply, request),
        question_event=lambda sites: ReadinessAsked(
            round=request.round, sites=sites, request=request.digest()
        ),
        answer_event=lambda answer: ReadinessReceived(
            round=request.round, site=answer.site, code=answer.code, seconds=answer.seconds
        ),
        too_few="No site has paid for anything.",
    )
    ask_until_enough(grid, connect, request, federation, question, observe)


def _yes(reply: RoundReply, request: RoundRequest) -> bool:
    if reply.request != request.digest() or set(reply.tensors) != {READY}:
        raise UpdateRejectedError(f"Site {reply.site!r} does not answer whether it is ready.")
    return True
