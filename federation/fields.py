"""The fields of a message's configuration, each checked for its type, form and range.

An error names the field and the rule, never the content: its text may end up in the other side's
log.
"""

from __future__ import annotations

import re

from flwr.app import ConfigRecord

from ..common.names import is_name
from ..errors import ProtocolError
from .counter_signed import LedgerMark

#: Characters of one section of the terms that people write.
MAX_TERM = 65_536
#: Characters of any section: the roster of a joint study has some 2,100 for each site.
MAX_SECTION = 524_288
_HEX = re.compile(r"[0-9a-f]{64}")


def integer(config: ConfigRecord, key: str, low: int, high: int) -> int:
    """Return an integer that lies in a range."""
    value = config[key]
    if not isinstance(value, int) or isinstance(value, bool) or not low <= value <= high:
        raise wrong(key, f"must be an integer from {low} to {high}")
    return value


def hex_digest(config: ConfigRecord, key: str) -> str:
    """Return 64 hex digits."""
    value = config[key]
    if not isinstance(value, str) or not _HEX.fullmatch(value):
        raise wrong(key, "must be 64 hex digits")
    return value


def site_name(config: ConfigRecord) -> str:
    """Return a site's name, or nothing."""
    value = config["site"]
    if value == "" or is_name(value):
        return str(value)
    raise wrong("site", "must be a name, or empty")


def ledger_mark(config: ConfigRecord, *, result: bool) -> str:
    """Return a ledger's mark, which only a result may have, or nothing."""
    value = config.get("ledger", "")
    if value == "":
        return ""
    try:
        mark = LedgerMark.parse(value if isinstance(value, str) and result else "")
    except ProtocolError:
        raise wrong("ledger", "must be a ledger's mark, with a result") from None
    return str(mark)


def text_list(config: ConfigRecord, key: str) -> list[str]:
    """Return a list of texts, none of them too long."""
    value = config[key]
    if not isinstance(value, list) or not all(
        isinstance(text, str) and len(text) <= MAX_SECTION for text in value
    ):
        raise wrong(key, f"must be a list of texts of at most {MAX_SECTION} characters")
    return [str(text) for text in value]


def wrong(key: str, rule: str) -> ProtocolError:
    """Return the error for a field that breaks a rule."""
    return ProtocolError(f"In the message, {key} {rule}.")
