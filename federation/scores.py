"""What a site releases of a generator's scores: noised numbers, under the site's signature.

A person hands the file over. The coordinator knows by the signature, which is of the key that it
issued the site's certificate for, that it is the site's own.
"""

from __future__ import annotations

import base64
import binascii
import json
import math
from dataclasses import asdict, dataclass
from typing import Annotated, Any

from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.hashes import SHA384
from pydantic import ConfigDict, Field, TypeAdapter, ValidationError
from pydantic.dataclasses import dataclass as checked_dataclass

from ..common.names import Name
from ..errors import ProtocolError, SignatureError
from .pki.keys import PrivateKey, PublicKey

#: Names of the tensors that a ledger has on record as what was paid for.
NUMBERS = "scores"
#: More than any real file has.
_MAX_BYTES = 65_536
_VERSION = 1

_Digest = Annotated[str, Field(pattern=r"^[0-9a-f]{64}$")]


@checked_dataclass(frozen=True, kw_only=True, config=ConfigDict(extra="forbid", strict=True))
class ScoreReport:
    """A site's noised scores of one generator.

    Attributes:
        site: The site's name.
        study: Digest of the study whose held-out patients were looked at.
        generator: Digest of the generator.
        finding: The finding that it was asked to tell.
        numbers: Patients by bin (:mod:`~fedscan.model.statistics.scores`), with noise.
        deviation: Standard deviation of the noise in each number.
    """

    site: Name
    study: _Digest
    generator: _Digest
    finding: Annotated[str, Field(max_length=40)]
    numbers: tuple[float, ...]
    deviation: float

    def sign(self, key: PrivateKey) -> bytes:
        """Return the file that a person hands over."""
        content = _plain(self)
        signature = key.sign(_canonical(content), ec.ECDSA(SHA384()))
        document = {"content": content, "signature": base64.b64encode(signature).decode()}
        return json.dumps(document, indent=2, sort_keys=True).encode() + b"\n"


@dataclass(frozen=True)
class SignedReport:
    """A report whose form was checked, and its signature, which was not.

    Attributes:
        report: What it says.
        signature: The signature.
    """

    report: ScoreReport
    signature: bytes

    def require_signed_by(self, key: PublicKey) -> ScoreReport:
        """Return the report if the site's key signed it.

        Raises:
            SignatureError: If it was changed, or another key signed it.
        """
        try:
            key.verify(self.signature, _canonical(_plain(self.report)), ec.ECDSA(SHA384()))
        except InvalidSignature:
            raise SignatureError(
                f"The scores were not signed by site {self.report.site!r}, or were changed.",
                hint="Ask the site to send its file again, unchanged.",
            ) from None
        return self.report


def read_report(content: bytes) -> SignedReport:
    """Read a report's file.

    Raises:
        ProtocolError: If it is no such file, or holds a number that is none.
    """
    try:
        document: Any = json.loads(content) if len(content) <= _MAX_BYTES else None
        values = dict(document["content"])
        if set(document) != {"content", "signature"} or values.pop("version") != _VERSION:
            raise ValueError("another form")
        signature = base64.b64decode(document["signature"], validate=True)
        report = _ADAPTER.validate_json(json.dumps(values))
    except (ValueError, KeyError, TypeError, binascii.Error, ValidationError):
        raise ProtocolError(
            "This is not a file of scores.",
            hint="`fedscan site evaluate --release` writes one.",
        ) from None
    if not all(map(math.isfinite, (*report.numbers, report.deviation))) or report.deviation <= 0:
        raise ProtocolError("The scores hold impossible numbers.")
    return SignedReport(report, signature)


def _plain(report: ScoreReport) -> dict[str, Any]:
    return {"version": _VERSION, **asdict(report), "numbers": list(report.numbers)}


def _canonical(content: dict[str, Any]) -> bytes:
    return json.dumps(content, sort_keys=True, separators=(",", ":")).encode()


_ADAPTER = TypeAdapter(ScoreReport)
