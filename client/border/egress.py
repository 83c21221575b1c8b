"""The egress gate: the last look at every message before it leaves the site.

It knows only what may leave: one of the known codes, a weight, and the named tensors of the
study that was approved, each of its shape and type, finite, together within the policy's
largest update and, in a private study, on record in the ledger as the result of a step that
was paid for, with which goes the name of that ledger and the digest of one of its lines. A plain
yes, the number 1, is paid for by nothing. Whatever else a message holds, the gate refuses the whole
of it.

In a joint study a site's result has less noise than its patients are promised, and nothing of it
may leave but under the masks of a roster. They are put on here, so that there is no way out without
them.
"""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from typing import Any

import numpy as np
from flwr.app import RecordDict

from ...errors import EgressError, ProtocolError
from ...federation.counter_signed import LedgerMark
from ...federation.distance import distance
from ...federation.joint.context import members_digest
from ...federation.joint.masks import add_masks
from ...federation.protocol import OK, READY, SUM, RoundReply, RoundRequest, Tensors, tensors_digest
from ...federation.wire import decode
from ...privacy.ledger.view import LedgerView
from ..answers.asked import Asked
from ..answers.joint.reveal import OpenedSum
from ..answers.old_secrets import erase_old_secrets
from ..answers.release import Release
from ..policy import SitePolicy, load_policy
from ..site import Site
from ..workspace.participation import data_set_ledger


def check_release(records: RecordDict, question: Asked, release: Release) -> dict[str, Any]:
    """Check an answer that holds tensors.

    Args:
        records: The message's content, as it would leave.
        question: What it answers.
        release: What the answer may hold.

    Returns:
        What leaves, for the audit log: names, types, shapes and hashes, and the update's norm.

    Raises:
        EgressError: If it holds anything else, or what it holds is not allowed or not paid for.
    """
    request, terms, site = question.request, question.terms, question.site
    reply, policy = _read(records), load_policy(site.policy)
    problems = []
    if (reply.code, reply.site, reply.request) != (OK, site.name, request.digest()):
        problems.append("it does not answer this request in this site's name")
    problems += _weight_problems(reply, policy)
    outline = {name: (array.dtype.name, array.shape) for name, array in reply.tensors.items()}
    if outline != dict(release.outline):
        problems.append("its tensors are not those of the study")
        stands_for: Tensors = {}
    else:
        # Judged by what the coordinator will make of it, in whatever form it travels.
        form = terms.update_form if release.update else "float32"
        stands_for = decode(form, request.tensors, reply.tensors)
        if not all(np.isfinite(array).all() for array in stands_for.values()):
            problems.append("it holds numbers that are not finite")
    norm = None
    if release.update and not problems:
        norm = distance(request.tensors, stands_for)
        if not norm <= policy.max_update_norm:
            problems.append(f"the update's norm {norm:.4g} is above {policy.max_update_norm:g}")
    view = _ledger(site) if terms.privacy.enabled else None
    if release.public:
        # What answers and what says what may be answered could be wrong in the same way.
        is_yes = np.array_equal(reply.tensors.get(READY, ()), [1.0])
        if not is_yes or tensors_digest(reply.tensors) != tensors_digest(release.public):
            problems.append("it says more than yes and what everybody may know")
    elif terms.is_joint:
        problems.append("the study sums jointly, and it is under no masks")
    elif terms.privacy.enabled and not _paid(view, request, reply):
        problems.append("no step of the ledger has it for its result")
    if reply.ledger and not _in_ledger(view, reply.ledger):
        problems.append("it names a line that is not in the ledger")
    _refuse_if(problems)
    facts = _facts(reply, view)
    return facts if norm is None else {**facts, "norm": norm}


def mask_sum(part: OpenedSum, question: Asked) -> RoundReply:
    """Put masks on a site's part of a joint sum, and on record what leaves and for whom.

    The ledger takes one roster for a payment, ever, and one masked result: the difference of two
    would show the part to whoever holds the other sites' masks.

    Raises:
        ChangedResultError: If another part, roster or masked result is on record.
        LedgerError: If the disk did not take it.
    """
    site, policy = question.site, load_policy(question.site.policy)
    tensors = {SUM: add_masks(part.values, site.name, part.secrets, part.context)}
    with data_set_ledger(site, policy) as ledger:
        ledger.complete(
            part.reservation,
            tensors_digest({SUM: part.values}),
            roster=members_digest(part.context.members),
            masked_sum=tensors_digest(tensors),
        )
        erase_old_secrets(ledger)
    return RoundReply(
        site=site.name,
        request=part.context.request,
        weight=policy.weight or 1.0,
        tensors=tensors,
    )


def check_sum(records: RecordDict, part: OpenedSum, question: Asked) -> dict[str, Any]:
    """Check an answer that holds a masked part of a joint sum.

    Args:
        records: The message's content, as it would leave.
        part: The part and the sum that it belongs to.
        question: What it answers.

    Returns:
        What leaves, for the audit log.

    Raises:
        EgressError: If it holds anything but what the ledger has on record as masked for this sum.
    """
    reply, site, context = _read(records), question.site, part.context
    view, problems = _ledger(site), _weight_problems(_read(records), load_policy(site.policy))
    if (reply.code, reply.site, reply.request) != (OK, site.name, context.request):
        problems.append("it does not answer this request in this site's name")
    outline = {name: (array.dtype.name, array.shape) for name, array in reply.tensors.items()}
    if outline != {SUM: ("uint32", part.values.shape)}:
        problems.append("its tensors are not those of the sum")
    digests = (members_digest(context.members), tensors_digest(reply.tensors))
    if view is None or not any(
        one.record.study == context.study and (one.roster, one.masked_sum) == digests
        for one in view.book.reservations.values()
    ):
        problems.append("it is not what the ledger has as masked for these sites")
    if reply.ledger and not _in_ledger(view, reply.ledger):
        problems.append("it names a line that is not in the ledger")
    _refuse_if(problems)
    return {**_facts(reply, view), "members": list(context.members)}


def _refuse_if(problems: Sequence[str]) -> None:
    if problems:
        raise EgressError(
            f"An answer may not leave: {'; '.join(problems)}.",
            hint="Nothing was sent. If the study is meant to ask for this, the policy decides.",
        )


def _facts(reply: RoundReply, view: LedgerView | None) -> dict[str, Any]:
    facts = {
        "code": OK,
        "weight": reply.weight,
        "tensors": _listed(reply.tensors),
        # How far the ledger had come: a ledger that lacks it later is not the one that paid.
        "ledger": str(view.head) if view else "",
    }
    return {**facts, "mark": reply.ledger} if reply.ledger else facts


def check_refusal(records: RecordDict, site: str) -> None:
    """Check an answer that says no: a known code, and nothing with it.

    Raises:
        EgressError: If it holds anything else.
    """
    reply = _read(records)
    if reply.code == OK or (reply.site, reply.request, reply.weight, reply.ledger) != (
        *(site, "", 1.0, ""),
    ):
        raise EgressError("A refusal may not leave: it holds more than a code.")


def _read(records: RecordDict) -> RoundReply:
    try:
        return RoundReply.from_records(records)
    except ProtocolError as error:
        raise EgressError(f"An answer may not leave: {error.message}") from error


def _weight_problems(reply: RoundReply, policy: SitePolicy) -> list[str]:
    weight = policy.weight
    if reply.weight == weight if weight else reply.weight >= 1.0:
        return []
    return ["its weight is not the one that the site declares"]


def _ledger(site: Site) -> LedgerView | None:
    return LedgerView.read(site.ledger) if site.ledger.exists() else None


def _paid(view: LedgerView | None, request: RoundRequest, reply: RoundReply) -> bool:
    if view is None:
        return False
    study, result = request.study(), tensors_digest(reply.tensors)
    return any(
        one.record.study == study and one.result == result
        for one in view.book.reservations.values()
    )


def _in_ledger(view: LedgerView | None, text: str) -> bool:
    mark = LedgerMark.parse(text)
    return view is not None and view.name == mark.ledger and mark.line in view.digests


def _listed(tensors: Tensors) -> list[list[Any]]:
    return [
        [name, array.dtype.name, list(array.shape), hashlib.sha256(array.tobytes()).hexdigest()]
        for name, array in sorted(tensors.items())
    ]
