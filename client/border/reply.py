"""The site's border: whatever goes wrong behind it, only a code comes out."""

from __future__ import annotations

import contextlib
import logging
from collections.abc import Callable
from dataclasses import dataclass
from logging.handlers import RotatingFileHandler
from pathlib import Path

from flwr.app import Context, Message, RecordDict

from ...errors import AuditError, FedscanError
from ...federation.protocol import INTERNAL, RoundReply, RoundRequest
from ..answers.asked import Asked
from ..answers.release import Release
from .counter_signature import with_mark
from .egress import check_refusal, check_release
from .reception import Reception

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
    reception = None
    try:
        reception = Reception.from_config(context.node_config)
        records = _serve(message, reception, service)
    except Exception as failure:
        records = _refuse(reception, failure)
    return Message(records, reply_to=message)


def refuse(message: Message, context: Context, failure: FedscanError) -> Message:
    """Answer a message with an error's code, whatever it asks; never raise."""
    try:
        reception = Reception.from_config(context.node_config)
    except Exception as wrong:
        return Message(_refuse(None, wrong), reply_to=message)
    return Message(_refuse(reception, failure), reply_to=message)


def _serve(message: Message, reception: Reception, service: Service) -> RecordDict:
    request = RoundRequest.from_records(message.content)
    reception.note()
    if reception.audit:
        reception.audit.append(
            "asked",
            what=service.kind,
            run=message.metadata.run_id,
            study=request.study(),
            round=request.round,
            rounds=request.rounds,
            request=request.digest(),
        )
    site = reception.admit(request)
    question = (
        Asked.read(request, site, reception.audit.append)
        if reception.audit
        else Asked.read(request, site)
    )
    reply, release = service.handle(question), service.release(question)
    records = (reply if release.yes else with_mark(reply, question)).to_records()
    facts = check_release(records, question, release)
    if reception.audit:
        reception.audit.append(
            "answered", request=request.digest(), data=question.site.state.name, **facts
        )
    return records


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
