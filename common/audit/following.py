"""An audit log's newest lines, and those that come while somebody watches."""

from __future__ import annotations

import time
from collections.abc import Iterator
from itertools import islice, takewhile

from .chain import AuditEntry
from .log import AuditLog

#: Seconds between two looks at the log.
_PAUSE_S = 0.5


def newest_entries(log: AuditLog, number: int) -> list[AuditEntry]:
    """Return the newest lines in the order in which they were written, each checked by itself.

    Raises:
        AuditError: If one of them was changed, or the log cannot be read.
    """
    return list(islice(log.newest_first(b""), number))[::-1]


def follow_entries(log: AuditLog, after: int, pause_s: float = _PAUSE_S) -> Iterator[AuditEntry]:
    """Yield lines as they are written, for as long as they are asked for.

    Args:
        log: The log.
        after: Number of the line after which it begins.
        pause_s: Seconds between two looks at the log.

    Raises:
        AuditError: If one of them was changed, or the log cannot be read.
    """
    while True:
        later = takewhile(lambda entry: entry.sequence > after, log.newest_first(b""))  # noqa: B023
        for entry in list(later)[::-1]:
            after = entry.sequence
            yield entry
        time.sleep(pause_s)
