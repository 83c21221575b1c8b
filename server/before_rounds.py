"""Asking the sites what comes before the rounds, until enough of them have answered."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Generic

from flwr.serverapp import Grid

from ..common.counted import counted
from ..config.federation import FederationSettings
from ..errors import RoundFailedError
from ..federation.protocol import RoundReply, RoundRequest
from .asking import Result, SiteAnswer, Sites
from .events import Event, Observer
from .meanings import advice, described
from .patience import RESUME_HINT, Patience


@dataclass(frozen=True, kw_only=True)
class Question(Generic[Result]):
    """One thing that sites are asked before the rounds.

    Attributes:
        kind: Name of the query.
        usable: What a site did whose answer counts, in words: "could begin".
        parse: Makes the result of a reply whose code is "ok", or refuses it with an error.
        question_event: Makes the event that it went out to so many sites.
        answer_event: Makes the event that a site answered.
        too_few: A sentence for when too few have; empty if there is nothing to add.
    """

    kind: str
    usable: str
    parse: Callable[[RoundReply], Result]
    question_event: Callable[[int], Event]
    answer_event: Callable[[SiteAnswer[Result]], Event]
    too_few: str = ""


def ask_until_enough(
    grid: Grid,
    connect: Callable[[], list[int]],
    request: RoundRequest,
    federation: FederationSettings,
    question: Question[Result],
    observe: Observer,
) -> Mapping[str, Result]:
    """Ask until enough sites have answered, or nobody who has not could yet.

    Args:
        grid: Flower's grid.
        connect: Waits for the sites and returns their nodes.
        request: What the sites are sent.
        federation: How many answers are needed, and how long to wait.
        question: What they are asked.
        observe: Told who answered, and how.

    Returns:
        The usable results by site.

    Raises:
        RoundFailedError: If too few sites gave one.
    """
    sites, patience = Sites(grid=grid), Patience(federation.approval_timeout_s, observe)
    answers: list[tuple[str, Result]] = []
    finished_nodes: set[int] = set()
    codes: dict[str, str] = {}
    while True:
        nodes = [node for node in connect() if node not in finished_nodes]
        observe(question.question_event(len(nodes)))
        asked_now: dict[str, str] = {}
        for answer in sites.ask(
            dict.fromkeys(nodes, request.to_records()),
            f"query.{question.kind}",
            federation.round_timeout_s,
            question.parse,
        ):
            if answer.result is not None:
                answers.append((answer.site, answer.result))
                finished_nodes.add(answer.node)
            asked_now[answer.site] = answer.code
            observe(question.answer_event(answer))
        codes |= asked_now
        usable = sites.refuse_shared_names(answers)
        if len(usable) >= federation.min_results:
            return usable
        if not patience.waits(request.round, asked_now):
            text = (
                f"{counted(len(usable), 'site')} {question.usable} of the {federation.min_results} "
                f"that are needed ({described(codes)}). {question.too_few}"
            )
            raise RoundFailedError(
                text.rstrip(), hint=f"{advice(codes.values())} {RESUME_HINT}".lstrip()
            )
