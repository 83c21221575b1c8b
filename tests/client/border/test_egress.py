"""The egress gate: whatever an app would answer, only what may leave does."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace

import numpy as np
import pytest
from fedscan.client.answers.asked import Asked
from fedscan.client.answers.round import round_release
from fedscan.client.border.reply import Service, answer
from fedscan.client.steward.approvals import Approvals
from fedscan.client.steward.home import SiteHome
from fedscan.common.audit import AuditLog
from fedscan.federation.protocol import RoundReply, RoundRequest
from flwr.app import Context, Message, RecordDict
from flwr.supercore.task_identity import TaskIdentity
from site_homes import invitation_of

Leak = Callable[[RoundReply], RoundReply]


def _first(reply: RoundReply, value: np.ndarray | None) -> RoundReply:
    name = min(reply.tensors)
    rest = {key: array for key, array in reply.tensors.items() if key != name}
    return replace(reply, tensors=rest if value is None else {**rest, name: value})


LEAKS: dict[str, Leak] = {
    "what nobody paid for": lambda reply: reply,
    "one tensor more": lambda reply: replace(
        reply, tensors={**reply.tensors, "batch": np.zeros((2, 32, 32), np.float32)}
    ),
    "one tensor less": lambda reply: _first(reply, None),
    "another shape": lambda reply: _first(reply, np.zeros((7, 9), np.float32)),
    "another type": lambda reply: _first(
        reply, reply.tensors[min(reply.tensors)].astype(np.float64)
    ),
    "a number that is none": lambda reply: _first(
        reply, np.full_like(reply.tensors[min(reply.tensors)], np.nan)
    ),
    "a count in the weight": lambda reply: replace(reply, weight=37.0),
    "a name in the site": lambda reply: replace(reply, site="Doe.Jane"),
    "an answer to something else": lambda reply: replace(reply, request="0" * 64),
}


@pytest.mark.parametrize("what", sorted(LEAKS))
def test_nothing_else_leaves(
    home: SiteHome,
    make_request: Callable[..., RoundRequest],
    monkeypatch: pytest.MonkeyPatch,
    what: str,
) -> None:
    for name in ("_run_id", "_node_id", "_task_id"):
        monkeypatch.setattr(TaskIdentity, name, 7)
    request = make_request()
    Approvals(home).approve(invitation_of(request), "chest")

    def leaky(asked: Asked) -> RoundReply:
        sent = asked.request
        honest = RoundReply(site=asked.site.name, request=sent.digest(), tensors=dict(sent.tensors))
        return LEAKS[what](honest)

    message = Message(request.to_records(), 1, "train")
    context = Context(7, 1, {"home": str(home.folder)}, RecordDict(), {})
    service = Service(kind="round", handle=leaky, release=round_release)
    reply = RoundReply.from_records(answer(message, context, service).content)
    assert (reply.code, reply.site, dict(reply.tensors)) == ("egress", "north", {})
    last = AuditLog(home.audit).entries()[-1]
    assert (last.event, last.facts) == ("refused", {"code": "egress"})
