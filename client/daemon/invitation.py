"""What a study asks of a site, as a file: the same that every request of its rounds carries."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from ...errors import ProtocolError
from ...protocol import PROTOCOL_VERSION, RoundRequest
from ..study_request import StudyTerms

_KEYS = {"version", "name", "base", "rounds", "terms"}


@dataclass(frozen=True, kw_only=True)
class Invitation:
    """A study, as far as it binds a site.

    Attributes:
        name: What the coordinator calls it; empty if a round asked before anyone told. It is
            for people: the study is known by its digest.
        request: A request of the study without tensors: its rounds, base and terms.
    """

    name: str
    request: RoundRequest

    @property
    def digest(self) -> str:
        """What names the study across its rounds, and what is approved."""
        return self.request.study()

    @property
    def terms(self) -> StudyTerms:
        """The study's terms, checked.

        Raises:
            ProtocolError: If they are malformed.
        """
        return StudyTerms.from_request(self.request)

    @classmethod
    def of(cls, request: RoundRequest, name: str = "") -> Invitation:
        """Return the invitation that a request amounts to."""
        return cls.from_parts(
            name=name, base=request.base, rounds=request.rounds, terms=request.terms
        )

    @classmethod
    def from_parts(
        cls, *, name: str, base: str, rounds: int, terms: Mapping[str, str]
    ) -> Invitation:
        """Check the parts as strictly as if they came in a message.

        Raises:
            ProtocolError: If one is malformed.
        """
        asked = RoundRequest(round=0, rounds=rounds, base=base, terms=terms, tensors={})
        # Through a message's form, whose reader trusts nothing.
        invitation = cls(name=name, request=RoundRequest.from_records(asked.to_records()))
        StudyTerms.from_request(invitation.request)
        return invitation

    @classmethod
    def read(cls, path: Path) -> Invitation:
        """Read an invitation that a coordinator wrote.

        Raises:
            ProtocolError: If it is malformed or of another version.
        """
        try:
            content = json.loads(path.read_bytes())
            if not isinstance(content, dict) or set(content) != _KEYS:
                raise ValueError("keys")
            if not (isinstance(content["name"], str) and len(content["name"]) <= 200):
                raise ValueError("name")
            if not isinstance(content["terms"], dict):
                raise ValueError("terms")
        except OSError as error:
            raise ProtocolError(
                f"The invitation {path} cannot be read: {error.strerror}.",
                hint="It is the file STUDY.invitation.json from the coordinator.",
            ) from error
        except (ValueError, RecursionError):
            raise ProtocolError(
                f"{path} is not a study's invitation.",
                hint="It is the file STUDY.invitation.json from the coordinator.",
            ) from None
        if content["version"] != PROTOCOL_VERSION:
            raise ProtocolError(
                f"The invitation speaks version {content['version']!r} of the protocol, this site "
                f"version {PROTOCOL_VERSION}.",
                hint="Coordinator and sites must run the same release of fedscan.",
            )
        try:
            return cls.from_parts(
                **{key: content[key] for key in ("name", "base", "rounds", "terms")}
            )
        except (TypeError, ValueError):
            raise ProtocolError(f"{path} is not a study's invitation.") from None

    def to_json(self) -> bytes:
        """Return the file's content."""
        content = {
            "version": PROTOCOL_VERSION,
            "name": self.name,
            "base": self.request.base,
            "rounds": self.request.rounds,
            "terms": dict(sorted(self.request.terms.items())),
        }
        return json.dumps(content, indent=2).encode() + b"\n"
