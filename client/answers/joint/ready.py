"""Beginning a joint sum: pay, compute, keep, and say no more than that it is there."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from ....errors import PrivacyError, RosterError
from ....federation.joint.messages import kind_of, to_rows
from ....federation.protocol import ENCAPSULATED, READY, RoundReply, RoundRequest, Tensors
from ....privacy.joint.plan import JointPlan, plan_joint
from ....privacy.joint.shares import JointShare
from ....privacy.ledger import Ledger, Reservation, release_digest
from ....privacy.ledger.book import Reserved
from ....privacy.ledger.entries import Reserve
from ...policy import SitePolicy
from ...site import Site
from ...terms import StudyTerms
from ...workspace.participation import Participation
from ..allowance import check_allowance, check_not_planned
from ..asked import Asked
from ..release import Release
from .pairs import own_pairs
from .store import SumStore


@dataclass(frozen=True, kw_only=True, eq=False)
class NewSum:
    """A sum that a site begins.

    Attributes:
        shares: What it costs, as the few and as everybody else would see it.
        most: How many sums of this kind the study was approved for.
        compute: Makes the site's part, uint32 ``[N]``, from the payment's secret. The ledger is
            not held meanwhile.
    """

    shares: tuple[JointShare, ...]
    most: int
    compute: Callable[[Reservation], NDArray[np.uint32]]


def joint_plan(request: RoundRequest, terms: StudyTerms) -> JointPlan:
    """Return the least noise of every site of a study, which the roster obliges them to add.

    Raises:
        RosterError: If the roster names another.
    """
    plan, roster = plan_joint(terms.privacy, request.rounds), terms.require_roster()
    if roster.minimum_share != plan.minimum_share:
        raise RosterError(
            f"The roster obliges each site to add noise of {roster.minimum_share:g}; to keep what "
            f"the study promises takes {plan.minimum_share:g}."
        )
    return plan


def require_joint(request: RoundRequest, terms: StudyTerms, site: Site, policy: SitePolicy) -> None:
    """Refuse a joint study that this site could add nothing to.

    Raises:
        PrivacyError: If it sums a composition that the site's policy keeps here.
        RosterError: If the site has no keys for it, the roster has others, or obliges its sites to
            add another noise than the study promises.
    """
    own_pairs(site, terms.require_roster())
    plan = joint_plan(request, terms)
    if plan.composition and not policy.release_composition:
        raise PrivacyError(
            "The site's policy keeps the noised composition here, and the study sums it.",
            hint="Set release_composition = true in policy.toml if it may be in a joint sum.",
        )


def begin(question: Asked, part: Participation, sum_: NewSum) -> RoundReply:
    """Pay for a site's part of a sum, compute and keep it, and say that it is ready.

    A sum that was begun before is not paid for again, and its part is the same.

    Raises:
        BudgetExceededError: If the data set cannot pay for it, or the study has had all its sums.
        LedgerError: If the budget cannot be put on record.
        RosterError: If the site has no keys for the study, or the same attempt of the sum was begun
            with another request.
    """
    request, study = question.request, part.study
    message = request.digest()
    _require_attempt(request)
    ready = _ready(question)  # before anything is paid
    kind = kind_of(request)
    purpose = purpose_of(request)
    with part.ledger() as ledger:
        digest = payment_digest(request, message)
        if ledger.find(digest) is None:
            _require_unused(ledger, study, purpose)
            check_allowance(ledger, study, digest, kind=kind, most=sum_.most)
            if kind == "statistics":
                check_not_planned(ledger, study, digest)
        reservation = ledger.reserve(
            digest,
            [share.own for share in sum_.shares],
            joint=[share.joint for share in sum_.shares],
            purpose=purpose,
            study=study,
            honest_sites=part.terms.privacy.honest_sites,
            colluding_sites=part.terms.privacy.most_colluding,
        )
    if request.attempt > 1 and not reservation.replay:
        question.announce("paid-again", study=study, purpose=purpose)
    store = SumStore(part.site.sums(study))
    if store.find(message) is None:
        store.keep(message, sum_.compute(reservation))
    return RoundReply(
        site=part.site.name,
        request=message,
        weight=part.policy.weight or 1.0,
        tensors=ready,
    )


def ready_release(question: Asked) -> Release:
    """Return what an answer may hold that says that a part is ready."""
    return Release.of_public(_ready(question), paid=True)


def payment_digest(request: RoundRequest, message: str) -> str:
    """Return the digest by which the ledger knows a site's part of a sum.

    Args:
        request: The request, with its attempt.
        message: Digest of the whole request.
    """
    return release_digest(message=message, attempt=request.attempt)


def purpose_of(request: RoundRequest) -> str:
    """Say in the ledger's words what was paid for; each of a study's sums has its own."""
    kind = kind_of(request)
    name = kind if kind == "statistics" else f"{kind} {request.round}"
    return f"{name} attempt {request.attempt}"


def payment(ledger: Ledger, request: RoundRequest, message: str) -> Reserved:
    """Return what was paid for a site's part of a sum.

    Raises:
        RosterError: If nothing was.
    """
    entry = ledger.find(payment_digest(request, message))
    names = (request.study(), purpose_of(request))
    if entry is None or (entry.record.study, entry.record.purpose) != names:
        raise RosterError("A sum is to be opened that was never begun here.")
    return entry


def _require_attempt(request: RoundRequest) -> None:
    if request.attempt < 1:
        raise RosterError("The attempts of a joint sum are counted from 1.")


def _require_unused(ledger: Ledger, study: str, purpose: str) -> None:
    """Refuse a second request for the same attempt: its values would be under the same masks."""
    records = [entry.record for entry in ledger.entries()]
    if any(
        isinstance(one, Reserve) and one.study == study and one.purpose == purpose
        for one in records
    ):
        raise RosterError(
            f"The sum {purpose!r} of the study was begun with another request.",
            hint="The coordinator may begin it anew as another attempt.",
        )


def _ready(question: Asked) -> Tensors:
    site, roster = question.site, question.terms.require_roster()
    rows = to_rows(own_pairs(site, roster).encapsulations())
    return {READY: np.ones(1, np.float32), **({ENCAPSULATED: rows} if len(rows) else {})}
