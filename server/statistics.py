"""Asking the sites, before round 1, for the noised statistics that the warm-up begins with."""

from __future__ import annotations

import math
from collections.abc import Callable

import numpy as np
from flwr.serverapp import Grid
from numpy.typing import NDArray

from ..config.federation import FederationSettings
from ..federation.protocol import STATISTICS, SUMS, RoundReply, RoundRequest
from ..model.statistics.group_means import all_groups, vector_size
from .before_rounds import Question, ask_until_enough
from .events import Observer, StatisticsAsked, StatisticsReceived
from .noised_sums import check_noised_sums


def collect_statistics(
    grid: Grid,
    connect: Callable[[], list[int]],
    request: RoundRequest,
    federation: FederationSettings,
    observe: Observer,
) -> tuple[NDArray[np.float32], float]:
    """Ask until enough sites have answered, and add their answers up.

    Args:
        grid: Flower's grid.
        connect: Waits for the sites and returns their nodes.
        request: Round 0 of the study.
        federation: How many answers are needed, and how long to wait.
        observe: Told who answered, and how.

    Returns:
        The sum of the sites' sums, float32 ``[N]``, and the deviation of the noise in each.

    Raises:
        RoundFailedError: If too few sites answered.
    """
    question = Question(
        kind=STATISTICS,
        usable="gave usable statistics",
        parse=lambda reply: _sums(reply, request),
        question_event=lambda sites: StatisticsAsked(sites=sites, request=request.digest()),
        answer_event=lambda answer: StatisticsReceived(
            site=answer.site, code=answer.code, seconds=answer.seconds, ledger=answer.ledger
        ),
    )
    usable = ask_until_enough(grid, connect, request, federation, question, observe)
    in_order = [usable[site] for site in sorted(usable)]
    total = np.stack([sums for sums, _ in in_order]).sum(0, dtype=np.float64)
    return total.astype(np.float32), math.sqrt(sum(deviation**2 for _, deviation in in_order))


def _sums(reply: RoundReply, request: RoundRequest) -> tuple[NDArray[np.float32], float]:
    return check_noised_sums(reply, request, SUMS, vector_size(all_groups()))
