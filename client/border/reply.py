"""The site's border: whatever goes wrong behind it, only a code comes out."""

from __future__ import annotations

import contextlib
import logging
from collections.abc import Callable
from dataclasses import dataclass
from logging.handlers import RotatingFileHandler
from pathlib import Path
from typing import Any

from flwr.app import Context, Message, RecordDict

from ...errors import AuditError, FedscanError
from ...federation.joint.messages import RevealRequest
from ...federation.protocol import INTERNAL, RoundReply, RoundRequest
from ..answers.asked import Asked
from ..answers.joint.reveal import open_sum
from ..answers.release import Release
from .counter_signature import with_mark
from .egress import check_refusal, check_release, check_sum, mask_sum
from .reception import Reception
from .study_key import key_reply

_LOG_BYTES = 1_000_000
_log = logging.getLogger(__name__)


@dataclass(frozen=True, kw_only=True)
class Service:
    """One kind of request that a site answers.

    Attributes:
        kind: Its name in the audit log.
        handle: Does the work.
        release: Says what the answer may hold.
    """

    kind: str
    handle: Callable[[Asked], RoundReply]
    release: Callable[[Asked], Release]


def answer(message: Message, context: Context, service: Service) -> Message:
    """Answer a message; never raise.

    An exception's text can hold a path, a header field or a pixel value. It goes to the site's
    own log; the reply has the error's code alone, and Flower, which would send the text along,
    never sees the exception. Every answer passes the egress gate and is on record in the audit
    log before it leaves.

    Args:
        message: What the coordinator sent.
        context: Flower's context, with the node configuration.
        service: Answers it.
    """
    return _answered(message, context, lambda reception: _serve(message, reception, service))


def answer_reveal(message: Message, context: Context) -> Message:
    """Answer with this site's part of a joint sum under masks, or with a code; never raise."""
    return _answered(message, context, lambda reception: _reveal(message, reception))


def answer_study_key(message: Message, context: Context) -> Message:
    """Answer with this site's public keys for a study, or with a code; never raise."""
    return _answered(message, context, lambda reception: _study_key(message, reception))


def refuse(message: Message, context: Context, failure: FedscanError) -> Message:
    """Answer a message with an error's code, whatever it asks; never raise."""
    try:
        reception = Reception.from_config(context.node_config)
    except Exception as wrong:
        return Message(_refuse(None, wrong), reply_to=message)
    return Message(_refuse(reception, failure), reply_to=message)


def _answered(
    message: Message, context: Context, serve: Callable[[Reception], RecordDict]
) -> Message:
    reception = None
    try:
        reception = Reception.from_config(context.node_config)
        records = serve(reception)
    except Exception as failure:
        records = _refuse(reception, failure)
    return Message(records, reply_to=message)


def _serve(message: Message, reception: Reception, service: Service) -> RecordDict:
    question = _ask(reception, message, RoundRequest.from_records(message.content), service.kind)
    reply, release = service.handle(question), service.release(question)
    records = (with_mark(reply, question) if release.paid else reply).to_records()
    facts = check_release(records, question, release)
    _note_answer(reception, question, question.request.digest(), facts)
    return records


def _reveal(message: Message, reception: Reception) -> RecordDict:
    reveal = RevealRequest.from_records(message.content)
    question = _ask(reception, message, reveal.request, "reveal")
    part = open_sum(question, reveal)
    records = with_mark(mask_sum(part, question), question).to_records()
    facts = check_sum(records, part, question)
    _note_answer(reception, question, reveal.message, facts)
    return records


def _study_key(message: Message, reception: Reception) -> RecordDict:
    request = RoundRequest.from_records(message.content)
    _note_question(reception, message, request, "study-key")
    records = key_reply(request, reception).to_records()
    if reception.audit:
        reception.audit.append("study-key-given", study=request.study())
    return records


def _ask(reception: Reception, message: Message, request: RoundRequest, kind: str) -> Asked:
    """Put a question on record, let it in and read its terms."""
    _note_question(reception, message, request, kind)
    site = reception.admit(request)
    if reception.audit:
        return Asked.read(request, site, reception.audit.append)
    return Asked.read(request, site)


def _note_question(
    reception: Reception, message: Message, request: RoundRequest, kind: str
) -> None:
    reception.note()
    if reception.audit:
        reception.audit.append(
            "asked",
            what=kind,
            run=message.metadata.run_id,
            study=request.study(),
            round=request.round,
            rounds=request.rounds,
            request=request.digest(),
        )


def _note_answer(
    reception: Reception, question: Asked, request: str, facts: dict[str, Any]
) -> None:
    if reception.audit:
        reception.audit.append("answered", request=request, data=question.site.state.name, **facts)


def _refuse(reception: Reception | None, failure: Exception) -> RecordDict:
    """Return an answer that says no more than a code, and record why."""
    _record(reception.log if reception else None, failure)
    code = failure.code if isinstance(failure, FedscanError) else INTERNAL
    if reception and reception.audit:
        try:
            reception.audit.append("refused", code=code)
        except AuditError as full:
            # A code says nothing that needs a record; but the site must see that it has none.
            _record(reception.log, full)
            code = full.code
    name = reception.name if reception else ""
    records = RoundReply(site=name, request="", code=code).to_records()
    check_refusal(records, name)
    return records


def _record(path: Path | None, failure: Exception) -> None:
    """Write an error's full text to the site's log; without one, to the process's own."""
    record = _log.makeRecord(
        _log.name,
        logging.ERROR,
        __file__,
        0,
        "%s: %s",
        (type(failure).__name__, failure),
        (type(failure), failure, failure.__traceback__),
    )
    handler: logging.Handler = logging.StreamHandler()
    if path is not None:
        try:
            path.parent.mkdir(parents=True, exist_ok=True)
            handler = RotatingFileHandler(
                path, maxBytes=_LOG_BYTES, backupCount=3, encoding="utf-8"
            )
        except OSError:
            handler.setLevel(logging.ERROR)
    handler.setFormatter(logging.Formatter("%(asctime)s %(levelname)s %(message)s"))
    handler.handle(record)
    # On a full disk closing fails too, and the answer must not fail with it.
    with contextlib.suppress(OSError):
        handler.close()
