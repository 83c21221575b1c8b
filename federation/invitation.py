"""An invitation: what a study will ask of a site, in a file, before it asks.

A site approves a study by the digest of its terms. The coordinator can ask for exactly what the
invitation says and for nothing else, because the site computes the same digest from every request.
"""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from dataclasses import dataclass
from types import MappingProxyType

from ..common.names import is_name
from ..errors import ProtocolError
from .protocol import PROTOCOL_VERSION, RoundRequest

_HEX = re.compile(r"[0-9a-f]{64}")
_KEYS = {"protocol", "name", "rounds", "base", "terms"}
_MAX_BYTES = 1_000_000
#: Those of earlier releases say the same.
_PROTOCOLS = (2, PROTOCOL_VERSION)
_MAX_ROUNDS = 1_000_000


@dataclass(frozen=True, kw_only=True)
class Invitation:
    """What a site is asked to take part in.

    Attributes:
        name: The study's name; for people, it is not part of what is approved.
        rounds: Rounds of the whole study.
        base: Digest of the public generator it starts from (64 hex digits).
        terms: Sections of the study that bind a site, by name, each as JSON text.
    """

    name: str
    rounds: int
    base: str
    terms: Mapping[str, str]

    @property
    def request(self) -> RoundRequest:
        """A request of the study, without tensors."""
        return RoundRequest(
            round=1, rounds=self.rounds, base=self.base, terms=self.terms, tensors={}
        )

    @property
    def digest(self) -> str:
        """What is approved: the same as ``RoundRequest.study()`` of every request."""
        return self.request.study()

    def to_json(self) -> bytes:
        """Return the file's content."""
        content = {
            "protocol": PROTOCOL_VERSION,
            "name": self.name,
            "rounds": self.rounds,
            "base": self.base,
            "terms": dict(sorted(self.terms.items())),
        }
        return json.dumps(content, indent=2).encode() + b"\n"

    @classmethod
    def from_json(cls, content: bytes) -> Invitation:
        """Read and check an invitation.

        Raises:
            ProtocolError: If it is not such a file, or of another version of the protocol.
        """
        try:
            values = json.loads(content) if len(content) <= _MAX_BYTES else None
        except ValueError:
            values = None
        if not isinstance(values, dict) or set(values) != _KEYS:
            raise _wrong(f"must have exactly {', '.join(sorted(_KEYS))}")
        if values["protocol"] not in _PROTOCOLS:
            raise ProtocolError(
                f"The invitation is not of version {PROTOCOL_VERSION} of the protocol.",
                hint="Coordinator and sites must run the same release of fedscan.",
            )
        name, rounds, base, terms = (values[key] for key in ("name", "rounds", "base", "terms"))
        if not is_name(name):
            raise _wrong("has a name of a wrong form")
        if type(rounds) is not int or not 1 <= rounds <= _MAX_ROUNDS:
            raise _wrong(f"must have from 1 to {_MAX_ROUNDS} rounds")
        if not isinstance(base, str) or not _HEX.fullmatch(base):
            raise _wrong("must name its base by 64 hex digits")
        if not isinstance(terms, dict) or not all(isinstance(text, str) for text in terms.values()):
            raise _wrong("must hold each of its terms as text")
        return cls(name=name, rounds=rounds, base=base, terms=MappingProxyType(terms))


def _wrong(rule: str) -> ProtocolError:
    return ProtocolError(
        f"The invitation {rule}.", hint="Ask the coordinator to send the file again, unchanged."
    )
