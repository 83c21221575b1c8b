"""The site's border: whatever goes wrong behind it, only a code comes out."""

from __future__ import annotations

import logging
from collections.abc import Callable
from logging.handlers import RotatingFileHandler
from pathlib import Path

from flwr.app import Context, Message

from ..errors import FedscanError
from ..protocol import INTERNAL, RoundReply
from .site import Site

_LOG_BYTES = 1_000_000
_log = logging.getLogger(__name__)


def answer(
    message: Message, context: Context, handle: Callable[[Message, Site], RoundReply]
) -> Message:
    """Answer a message; never raise.

    An exception's text can hold a path, a header field or a pixel value. It goes to the site's
    own log; the reply has the error's code alone, and Flower, which would send the text along,
    never sees the exception.

    Args:
        message: What the coordinator sent.
        context: Flower's context, with the node configuration.
        handle: Does the work.
    """
    name, log = "", None
    try:
        site = Site.from_config(context.node_config)
        name, log = site.name, site.log
        reply = handle(message, site)
    except FedscanError as failure:
        _record(log, failure)
        reply = RoundReply(site=name, request="", code=failure.code)
    except Exception as failure:
        _record(log, failure)
        reply = RoundReply(site=name, request="", code=INTERNAL)
    return Message(reply.to_records(), reply_to=message)


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
            handler = RotatingFileHandler(path, maxBytes=_LOG_BYTES, backupCount=3)
        except OSError:
            handler.setLevel(logging.ERROR)
    handler.setFormatter(logging.Formatter("%(asctime)s %(levelname)s %(message)s"))
    handler.handle(record)
    handler.close()
