"""The lines of an audit log, and what makes them a chain."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from ...errors import AuditError
from ..chain_head import head_from_text, head_to_text

#: What stands as ``previous`` in the first line.
BEGINNING = "0" * 64

_KEYS = {"sequence", "time", "event", "facts", "previous", "hash"}


@dataclass(frozen=True)
class AuditHead:
    """The end of a log at some time: how many lines it has, and the hash of the last.

    Attributes:
        length: Number of lines.
        hash: SHA-256 of the last line in hex; zeros for an empty log.
    """

    length: int = 0
    hash: str = BEGINNING

    def __str__(self) -> str:
        return head_to_text(self.length, self.hash)

    @classmethod
    def parse(cls, text: str) -> AuditHead:
        """Read ``str(head)`` back.

        Raises:
            AuditError: If it has another form.
        """
        return cls(*head_from_text(text, "an audit log", AuditError))


@dataclass(frozen=True, kw_only=True)
class AuditEntry:
    """One line.

    Attributes:
        sequence: Its place, from 1.
        time: When it was written, UTC.
        event: What happened, a stable short name.
        facts: JSON values by name.
        previous: Hash of the line before.
    """

    sequence: int
    time: str
    event: str
    facts: Mapping[str, Any]
    previous: str

    @property
    def hash(self) -> str:
        """SHA-256 of the line without its own hash, in hex."""
        return hashlib.sha256(_canonical(self._content())).hexdigest()

    @property
    def head(self) -> AuditHead:
        """The log's end as long as no line follows."""
        return AuditHead(self.sequence, self.hash)

    def to_line(self) -> bytes:
        """Return the line, with its line feed.

        Raises:
            ValueError: If a fact has no JSON form.
        """
        return _canonical({**self._content(), "hash": self.hash}) + b"\n"

    def _content(self) -> dict[str, Any]:
        return {
            "sequence": self.sequence,
            "time": self.time,
            "event": self.event,
            "facts": dict(self.facts),
            "previous": self.previous,
        }


def follow(lines: list[bytes]) -> Iterator[AuditEntry]:
    """Read a log's lines and check that each is unchanged and follows the one before it.

    Args:
        lines: All lines, without their line feeds.

    Raises:
        AuditError: Names the first line that does not belong where it stands.
    """
    head = AuditHead()
    for line in lines:
        entry = read_line(line, head.length + 1)
        if entry.sequence != head.length + 1 or entry.previous != head.hash:
            raise damaged(head.length + 1, "does not follow the line before it")
        yield entry
        head = entry.head


def damaged(line: int, problem: str) -> AuditError:
    """Return the error for a line that was not written like this."""
    return AuditError(
        f"Line {line} of the audit log {problem}.",
        hint="The file was changed or damaged after it was written. Keep it as it is and compare "
        "it with a backup.",
    )


def read_line(line: bytes, number: int) -> AuditEntry:
    """Read one line and check that it says what it said when it was written.

    Args:
        line: The line, without its line feed.
        number: Its place, for the error.

    Raises:
        AuditError: If it was changed.
    """
    try:
        content = json.loads(line)
        if not isinstance(content, dict) or set(content) != _KEYS:
            raise ValueError("keys")
        line_hash = content.pop("hash")
        entry = AuditEntry(**content)
        # Byte for byte: an added blank is a change too.
        is_intact = entry.hash == line_hash and entry.to_line() == line + b"\n"
    except (ValueError, TypeError, RecursionError):
        is_intact = False
    if not is_intact:
        raise damaged(number, "was changed")
    return entry


def _canonical(content: Mapping[str, Any]) -> bytes:
    return json.dumps(
        content, sort_keys=True, separators=(",", ":"), allow_nan=False, ensure_ascii=True
    ).encode("ascii")
