"""The coordinator's counter-signature under the last lines of a site's ledgers.

A ledger cannot see that its whole folder was replaced by an older copy, or that a copy of it
spends elsewhere. So with each answer that cost something a site names its ledger and the digest of
the ledger's last line, which tell nothing but whether the line is in a ledger. The coordinator
signs what it was told and hands it back to whoever connects as this site. A home whose ledger has
not got such a line is not the one that spent.
"""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any

from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from ..common.signing import sign_document, verify_signed_by
from ..errors import ProtocolError, SignatureError

#: Where the coordinator's proxy gives each member what was signed for it.
HEADS_PATH = "/v1/fleet/ledger-heads"

#: So many last lines of a ledger are kept: two copies that spend in turn are both told.
LINES_KEPT = 8

_DIGEST = re.compile(r"[0-9a-f]{64}")


@dataclass(frozen=True)
class LedgerMark:
    """Which ledger paid for an answer, and how far it had come.

    Attributes:
        ledger: The ledger's random name (64 hex digits).
        line: SHA-256 of its last line, in hex.
    """

    ledger: str
    line: str

    def __str__(self) -> str:
        return f"{self.ledger}:{self.line}"

    @classmethod
    def parse(cls, text: str) -> LedgerMark:
        """Read ``str(mark)`` back.

        Raises:
            ProtocolError: If it has another form.
        """
        ledger, _, line = text.partition(":")
        if not (_DIGEST.fullmatch(ledger) and _DIGEST.fullmatch(line)):
            raise ProtocolError("A ledger's mark must be two times 64 hex digits.")
        return cls(ledger, line)


@dataclass(frozen=True, kw_only=True)
class CounterSigned:
    """What a coordinator has been told of one site's ledgers.

    Attributes:
        site: The site's name.
        lines: The last lines of each ledger, by its name; the newest line is the last.
        time: When it was signed, UTC.
    """

    site: str
    lines: Mapping[str, tuple[str, ...]] = field(default_factory=dict)
    time: str = ""

    def with_mark(self, mark: LedgerMark) -> CounterSigned:
        """Return the same with one more line, if it is a new one."""
        before = self.lines.get(mark.ledger, ())
        if mark.line in before:
            return self
        lines = (*before, mark.line)[-LINES_KEPT:]
        return CounterSigned(site=self.site, lines={**self.lines, mark.ledger: lines})

    def sign(self, key: Ed25519PrivateKey) -> bytes:
        """Return the signed document, with the time of now."""
        content = {
            "version": 1,
            "site": self.site,
            "ledgers": {name: list(lines) for name, lines in sorted(self.lines.items())},
            "time": datetime.now(UTC).isoformat(timespec="seconds"),
        }
        return sign_document(content, key)

    @classmethod
    def read(cls, document: bytes, public_key: str) -> CounterSigned:
        """Read a signed document.

        Args:
            document: The document.
            public_key: The public half of the coordinator's signing key, as PEM.

        Raises:
            SignatureError: If it was changed, another key signed it, or it is something else.
        """
        content = verify_signed_by(document, public_key, "What the coordinator noted")
        return cls._from_content(content)

    @classmethod
    def _from_content(cls, content: Mapping[str, Any]) -> CounterSigned:
        try:
            lines = {
                LedgerMark.parse(f"{name}:{lines[-1]}").ledger: tuple(map(str, lines))
                for name, lines in content["ledgers"].items()
            }
            if content["version"] != 1:
                raise ValueError("another version")
            return cls(site=str(content["site"]), lines=lines, time=str(content["time"]))
        except (KeyError, ValueError, TypeError, AttributeError, IndexError, ProtocolError):
            raise SignatureError(
                "What the coordinator noted of this site's ledgers cannot be read.",
                hint="Coordinator and sites must run the same release of fedscan.",
            ) from None

    @classmethod
    def own(cls, document: bytes, site: str) -> CounterSigned:
        """Read back what this coordinator signed itself; nothing where the file is damaged.

        The sites' ledgers are what counts: a damaged file is begun anew.
        """
        try:
            document_read = cls._from_content(json.loads(document)["content"])
        except (ValueError, KeyError, TypeError, SignatureError):
            return cls(site=site)
        return document_read if document_read.site == site else cls(site=site)
