"""A site's keys for the joint sums of one study, and what it tells the others of them.

The keys are made for one study and erased with it. A key of X25519 (RFC 7748) is what two sites
agree with; a key of ML-KEM-768 (FIPS 203), where the cryptography package has it, is besides, for
whoever keeps today's messages for a quantum computer. The site's identity (the key of its
certificate, ECDSA on P-384) signs both, so that a site cannot be given keys that are not its own
without a trace; that the right hospital is behind an identity, people compare.
"""

from __future__ import annotations

import base64
import binascii
import hashlib
import json
from collections.abc import Mapping
from dataclasses import asdict, dataclass, fields, replace
from pathlib import Path
from typing import Any, Self

from cryptography.exceptions import InvalidSignature, UnsupportedAlgorithm
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.asymmetric.x25519 import X25519PrivateKey, X25519PublicKey
from cryptography.hazmat.primitives.hashes import SHA384

from ...common.files import write_once
from ...common.names import is_name
from ...errors import FederationError, ProtocolError, RosterError
from ..pki.keys import PrivateKey, public_text, read_public_text

try:
    from cryptography.hazmat.primitives.asymmetric.mlkem import (
        MLKEM768PrivateKey,
        MLKEM768PublicKey,
    )

    MLKEM768PrivateKey.generate()
except (ImportError, UnsupportedAlgorithm):  # an older cryptography package, or OpenSSL
    HAS_MLKEM = False
else:
    HAS_MLKEM = True

_X25519_BYTES = 32
_MLKEM_BYTES = 1184


@dataclass(frozen=True, kw_only=True)
class PublicStudyKey:
    """What a site tells all others of its keys.

    Attributes:
        study: Digest of the study without its roster.
        site: The site's name.
        x25519: Public key, in base64.
        mlkem: Public key of ML-KEM-768 in base64; empty where the site has none.
        identity: The public key that signs, in OpenSSH's format; empty in a simulation.
        signature: Its signature over the other fields, in base64; empty in a simulation.
    """

    study: str
    site: str
    x25519: str
    mlkem: str = ""
    identity: str = ""
    signature: str = ""

    def fingerprint(self) -> str:
        """Return the SHA-256 of the public keys, in hex."""
        return hashlib.sha256(self._signed()).hexdigest()

    def agreement_key(self) -> X25519PublicKey:
        """Return the key that two sites agree with."""
        return X25519PublicKey.from_public_bytes(base64.b64decode(self.x25519))

    def encapsulation_key(self) -> MLKEM768PublicKey:
        """Return the key that a secret is encapsulated to."""
        return MLKEM768PublicKey.from_public_bytes(base64.b64decode(self.mlkem))

    def signed_by(self, identity: PrivateKey) -> PublicStudyKey:
        """Return the same, signed by a site's identity."""
        with_identity = replace(self, identity=public_text(identity.public_key()), signature="")
        signature = identity.sign(with_identity._signed(), ec.ECDSA(SHA384()))
        return replace(with_identity, signature=base64.b64encode(signature).decode())

    def to_dict(self) -> dict[str, str]:
        """Return plain values."""
        return asdict(self)

    @classmethod
    def from_dict(cls, values: Any) -> Self:
        """Read and check what :meth:`to_dict` gave, from somebody who is not trusted.

        Raises:
            ProtocolError: If it is malformed.
            RosterError: If the signature is not of the identity that it names.
        """
        names = {field.name for field in fields(cls)}
        if not isinstance(values, Mapping) or set(values) != names:
            raise ProtocolError(f"A study key must have exactly {', '.join(sorted(names))}.")
        if not all(isinstance(value, str) for value in values.values()):
            raise ProtocolError("A study key must hold texts only.")
        key = cls(**values)
        if not is_name(key.site):
            raise ProtocolError("A study key must have a site's name.")
        _require_length("x25519", key.x25519, _X25519_BYTES)
        if key.mlkem:
            _require_length("mlkem", key.mlkem, _MLKEM_BYTES)
        key._require_own_signature()
        return key

    def _signed(self) -> bytes:
        content = ["fedscan study key 1", self.study, self.site, self.x25519, self.mlkem]
        return json.dumps([*content, self.identity], separators=(",", ":")).encode()

    def _require_own_signature(self) -> None:
        if not self.identity and not self.signature:
            return
        try:
            read_public_text(self.identity).verify(
                base64.b64decode(self.signature, validate=True),
                self._signed(),
                ec.ECDSA(SHA384()),
            )
        except (InvalidSignature, FederationError, binascii.Error):
            raise RosterError(
                f"The study key of {self.site!r} is not signed by the identity that it names.",
                hint="Somebody changed it on its way. Ask the site for it again.",
            ) from None


@dataclass(frozen=True, kw_only=True)
class StudyKey:
    """A site's private keys for one study.

    Attributes:
        public: What the others are told.
        x25519: Private key, 32 bytes.
        mlkem: Seed of the private key of ML-KEM-768, 64 bytes; empty without one.
    """

    public: PublicStudyKey
    x25519: bytes
    mlkem: bytes

    @classmethod
    def generate(cls, study: str, site: str, identity: PrivateKey | None) -> StudyKey:
        """Make the keys of a site for a study.

        Args:
            study: Digest of the study without its roster.
            site: The site's name.
            identity: What signs them; ``None`` in a simulation.
        """
        agreement = X25519PrivateKey.generate()
        kem = MLKEM768PrivateKey.generate() if HAS_MLKEM else None
        public = PublicStudyKey(
            study=study,
            site=site,
            x25519=_text(agreement.public_key().public_bytes_raw()),
            mlkem=_text(kem.public_key().public_bytes_raw()) if kem else "",
        )
        return cls(
            public=public.signed_by(identity) if identity else public,
            x25519=agreement.private_bytes_raw(),
            mlkem=kem.private_bytes_raw() if kem else b"",
        )

    def agree(self, other: PublicStudyKey) -> bytes:
        """Return the secret that this site and another one agree on, 32 bytes.

        Raises:
            RosterError: If the other's key is one with which everybody would agree on the same.
        """
        try:
            private = X25519PrivateKey.from_private_bytes(self.x25519)
            return private.exchange(other.agreement_key())
        except ValueError:
            raise RosterError(f"The study key of {other.site!r} cannot be agreed with.") from None

    def decapsulate(self, ciphertext: bytes) -> bytes:
        """Return the secret that another site encapsulated to this one, 32 bytes."""
        return MLKEM768PrivateKey.from_seed_bytes(self.mlkem).decapsulate(ciphertext)

    def keep(self, path: Path) -> StudyKey:
        """Write the keys to a file that only its owner can read, and return what it holds.

        Where there is one already, its keys are the study's.

        Raises:
            RosterError: If the file is damaged.
        """
        content = {
            "public": self.public.to_dict(),
            "x25519": self.x25519.hex(),
            "mlkem": self.mlkem.hex(),
        }
        path.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
        write_once(path, json.dumps(content).encode())
        return self.read(path)

    @classmethod
    def read(cls, path: Path) -> StudyKey:
        """Read what :meth:`keep` wrote.

        Raises:
            RosterError: If the file is missing or damaged.
        """
        try:
            content = json.loads(path.read_bytes())
            return cls(
                public=PublicStudyKey.from_dict(content["public"]),
                x25519=bytes.fromhex(content["x25519"]),
                mlkem=bytes.fromhex(content["mlkem"]),
            )
        except (OSError, ValueError, KeyError, TypeError, ProtocolError):
            raise RosterError(
                f"The site's keys for the study, {path.name}, are missing or damaged.",
                hint="Restore the file from a backup, or ask the coordinator for a new study: its "
                "roster names these keys.",
            ) from None


def _text(content: bytes) -> str:
    return base64.b64encode(content).decode()


def _require_length(name: str, text: str, length: int) -> None:
    try:
        right = len(base64.b64decode(text, validate=True)) == length
    except (binascii.Error, ValueError):
        right = False
    if not right:
        raise ProtocolError(f"In a study key, {name} must be {length} bytes in base64.")
