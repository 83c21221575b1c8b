"""The two files of an enrolment: a site's request, and the coordinator's welcome.

The request holds a PKCS #10 certificate request (RFC 2986), which the TLS key signs, and the
public key of the site's Flower node, which signs all of it: whoever enrols holds both keys. It
holds no secret. People compare its fingerprint over a second channel before it is accepted.
"""

from __future__ import annotations

import base64
import binascii
import json
from dataclasses import MISSING, asdict, dataclass, fields
from typing import Any

from cryptography import x509
from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.hashes import SHA384
from cryptography.hazmat.primitives.serialization import Encoding
from pydantic import TypeAdapter, ValidationError

from ...common.names import require_name
from ...errors import FederationError
from ..about import AboutSettings
from .certificates import common_name, read_certificate, subject
from .keys import PrivateKey, PublicKey, fingerprint, public_text, read_public_text

_VERSION = 1
#: More than any real file of the two has.
_MAX_BYTES = 65_536
_ABOUT = TypeAdapter(AboutSettings)


@dataclass(frozen=True, kw_only=True)
class EnrolmentRequest:
    """What a site sends to the coordinator to become a member.

    Attributes:
        site: The site's public name.
        certificate_request: PKCS #10 request for the site's TLS key, as PEM.
        node_key: Public key of the site's Flower node, in OpenSSH's format.
        signature: The node key's signature over the other fields, in base64.
    """

    site: str
    certificate_request: str
    node_key: str
    signature: str

    @property
    def fingerprint(self) -> str:
        """What both sides compare over a second channel."""
        return fingerprint(self._signed())

    def public_key(self) -> PublicKey:
        """Return the TLS key that the certificate is for."""
        key = _load_request(self.certificate_request).public_key()
        if not isinstance(key, ec.EllipticCurvePublicKey):
            raise FederationError("The certificate request's key is not on an elliptic curve.")
        return key

    def to_json(self) -> bytes:
        """Return the file's content."""
        return _to_json(self)

    @classmethod
    def make(cls, site: str, tls_key: PrivateKey, node_key: PrivateKey) -> EnrolmentRequest:
        """Make the request of a site.

        Raises:
            FederationError: If the name is not of the allowed form.
        """
        require_name(site, "a site", FederationError)
        builder = x509.CertificateSigningRequestBuilder().subject_name(subject(site))
        request = cls(
            site=site,
            certificate_request=builder.sign(tls_key, SHA384()).public_bytes(Encoding.PEM).decode(),
            node_key=public_text(node_key.public_key()),
            signature="",
        )
        signature = node_key.sign(request._signed(), ec.ECDSA(SHA384()))
        return cls(**{**asdict(request), "signature": base64.b64encode(signature).decode()})

    @classmethod
    def from_json(cls, content: bytes) -> EnrolmentRequest:
        """Read and check a request.

        Raises:
            FederationError: If it is not such a file, or a signature does not fit.
        """
        request = cls(**_from_json(content, cls, "The enrolment request"))
        require_name(request.site, "a site", FederationError)
        certificate_request = _load_request(request.certificate_request)
        if not certificate_request.is_signature_valid:
            raise FederationError("The certificate request's signature does not fit its key.")
        if common_name(certificate_request.subject) != request.site:
            raise FederationError(f"The certificate request is not for site {request.site!r}.")
        request.public_key()
        try:
            read_public_text(request.node_key).verify(
                base64.b64decode(request.signature, validate=True),
                request._signed(),
                ec.ECDSA(SHA384()),
            )
        except (InvalidSignature, binascii.Error) as error:
            raise FederationError(
                "The enrolment request's signature does not fit the node's key.",
                hint="Ask the site to send its request.json again, unchanged.",
            ) from error
        return request

    def _signed(self) -> bytes:
        content = [_VERSION, self.site, self.certificate_request, self.node_key]
        return json.dumps(content, separators=(",", ":")).encode()


@dataclass(frozen=True, kw_only=True)
class Welcome:
    """What the coordinator sends back: all that a site needs to connect, and no secret.

    Attributes:
        site: The site's name.
        coordinator: Host and port that the site connects to.
        authority: Certificate of the federation's authority, as PEM.
        certificate: The site's certificate, as PEM.
        record_key: Public key (Ed25519, PEM) that the coordinator signs study records with.
        about: What the coordinator says of the study that it plans, as JSON; may be empty.
    """

    site: str
    coordinator: str
    authority: str
    certificate: str
    record_key: str
    about: str = ""

    @property
    def plan(self) -> AboutSettings:
        """What the coordinator says of the study that it plans; nobody is bound by it yet."""
        return _ABOUT.validate_json(self.about) if self.about else AboutSettings()

    @property
    def authority_fingerprint(self) -> str:
        """What the coordinator's ``init`` printed: both sides compare it over a second channel."""
        return fingerprint(self.authority.encode())

    def to_json(self) -> bytes:
        """Return the file's content."""
        return _to_json(self)

    @classmethod
    def from_json(cls, content: bytes) -> Welcome:
        """Read and check a welcome.

        Raises:
            FederationError: If it is not such a file or holds no readable certificates.
        """
        welcome = cls(**_from_json(content, cls, "The welcome"))
        require_name(welcome.site, "a site", FederationError)
        for part in (welcome.authority, welcome.certificate):
            read_certificate(part.encode(), "A part of the welcome")
        try:
            _ = welcome.plan
        except ValidationError:
            raise FederationError("What the welcome says of a study cannot be read.") from None
        return welcome


def _load_request(pem: str) -> x509.CertificateSigningRequest:
    try:
        return x509.load_pem_x509_csr(pem.encode())
    except ValueError as error:
        raise FederationError("The certificate request cannot be read.") from error


def _to_json(value: EnrolmentRequest | Welcome) -> bytes:
    return json.dumps({"version": _VERSION, **asdict(value)}, indent=2).encode() + b"\n"


def _from_json(content: bytes, kind: type, what: str) -> dict[str, Any]:
    names = {field.name for field in fields(kind)}
    optional = {field.name for field in fields(kind) if field.default is not MISSING}
    try:
        values = json.loads(content) if len(content) <= _MAX_BYTES else None
    except ValueError:
        values = None
    if not isinstance(values, dict) or values.pop("version", None) != _VERSION:
        raise FederationError(f"{what} is not a file of this version of fedscan.")
    if not names - optional <= set(values) <= names or not all(
        isinstance(value, str) for value in values.values()
    ):
        raise FederationError(f"{what} must have exactly {', '.join(sorted(names))}.")
    return values
