"""Paying for an answer: once, whatever happens, and again only where the old one is lost.

An answer that has left is kept (:mod:`~.answer_store`) and sent again at no cost. Where it is lost,
it is made again from its secret. If that cannot give the same bytes (another machine, other
software, another number of threads), or the secret is erased, the answer is a new attempt: with
noise of its own, paid for from what the study was approved for, and announced in the site's audit
log and ledger. A study has no more answers for that.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from ...errors import ChangedResultError
from ...federation.protocol import Tensors, tensors_digest
from ...privacy.ledger import Ledger
from ...privacy.ledger.results import Reservation
from ...privacy.mechanism import SubsampledGaussian
from ..workspace.participation import Participation
from .answer_store import AnswerStore
from .asked import Asked


@dataclass(frozen=True, kw_only=True, eq=False)
class Price:
    """What one answer costs.

    Attributes:
        mechanism: What runs on the patients.
        purpose: What the ledger says it was paid for; its first word is the kind of answer.
        allow: Refuses a request's digest that would be paid for beyond what the study may have.
    """

    mechanism: SubsampledGaussian
    purpose: str
    allow: Callable[[str], None]


def answer_once(
    question: Asked,
    part: Participation,
    *,
    price: Callable[[Ledger], Price],
    compute: Callable[[Reservation, SubsampledGaussian], Tensors],
    when_on_record: Callable[[Ledger], None] = lambda ledger: None,
) -> Tensors:
    """Return the one answer to a request: as it left before, or made and paid for now.

    Args:
        question: The request.
        part: The site's part in its study.
        price: Says what it costs, from the open ledger; pays for what comes before it.
        compute: Makes what may leave. The ledger is not held meanwhile: whoever reads it need
            not wait.
        when_on_record: Called with the open ledger once the answer is on record.

    Raises:
        BudgetExceededError: If the data set cannot pay for it, or the study has had all of its
            answers.
        LedgerError: If the budget cannot be put on record.
    """
    message, attempt = question.request.digest(), 1
    store = AnswerStore(part.site.answers(part.study))
    while True:
        with part.ledger() as ledger:
            answer = store.find(message)
            if answer is not None and ledger.has_result(part.study, tensors_digest(answer)):
                return answer
            cost = price(ledger)
            attempt = _first_possible(ledger, part, message, attempt)
            request = part.asked(ledger, message, attempt)
            cost.allow(request)
            purpose = cost.purpose if attempt == 1 else f"{cost.purpose} attempt {attempt}"
            reservation = ledger.reserve(
                request, [cost.mechanism], purpose=purpose, study=part.study
            )
        if attempt > 1 and not reservation.replay:
            question.announce("paid-again", study=part.study, purpose=purpose)
        tensors = compute(reservation, cost.mechanism)
        store.keep(message, cost.purpose.partition(" ")[0], tensors)
        with part.ledger() as ledger:
            try:
                ledger.complete(reservation, tensors_digest(tensors))
            except ChangedResultError:
                attempt += 1
                continue
            when_on_record(ledger)
        return tensors


def _first_possible(ledger: Ledger, part: Participation, message: str, attempt: int) -> int:
    """Return the first attempt from a given one on whose secret is not erased."""
    while (reservation := ledger.find(part.asked(ledger, message, attempt))) and reservation.erased:
        attempt += 1
    return attempt
