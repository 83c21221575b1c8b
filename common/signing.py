"""Signed documents: JSON with an Ed25519 signature (RFC 8032) over its canonical form.

The signer's public key travels with the document. That tells whether anything was changed after
signing; whether the signer is who they say takes a key that the reader already trusts.
"""

from __future__ import annotations

import base64
import binascii
import hashlib
import json
import os
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey, Ed25519PublicKey
from cryptography.hazmat.primitives.serialization import (
    Encoding,
    NoEncryption,
    PrivateFormat,
    load_pem_private_key,
    load_pem_public_key,
)

from ..errors import SignatureError


@dataclass(frozen=True, kw_only=True)
class SignedDocument:
    """A document whose signature fits.

    Attributes:
        content: What was signed.
        signer: Fingerprint of the key that signed it (64 hex digits).
    """

    content: dict[str, Any]
    signer: str


def open_signing_key(path: Path) -> Ed25519PrivateKey:
    """Read a signing key, or make it where there is none; only its owner can read the file.

    Raises:
        SignatureError: If the file is no Ed25519 key or cannot be read or made.
    """
    try:
        if not path.exists():
            path.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
            new_key = Ed25519PrivateKey.generate()
            descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
            with os.fdopen(descriptor, "wb") as file:
                file.write(new_key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption()))
        key = load_pem_private_key(path.read_bytes(), password=None)
    except (OSError, ValueError, TypeError) as error:
        raise SignatureError(
            f"The signing key {path} cannot be used.",
            hint="Name another file; a new key is made where there is none.",
        ) from error
    if not isinstance(key, Ed25519PrivateKey):
        raise SignatureError(f"The signing key {path} is not an Ed25519 key.")
    return key


def fingerprint(key: Ed25519PublicKey) -> str:
    """Return the SHA-256 of a public key's 32 bytes, in hex."""
    return hashlib.sha256(key.public_bytes_raw()).hexdigest()


def sign_document(content: Mapping[str, Any], key: Ed25519PrivateKey) -> bytes:
    """Return a JSON document with its signature and the signer's public key."""
    document = {
        "content": dict(content),
        "public_key": base64.b64encode(key.public_key().public_bytes_raw()).decode(),
        "signature": base64.b64encode(key.sign(_canonical(content))).decode(),
    }
    return json.dumps(document, indent=2, sort_keys=True).encode() + b"\n"


def verify_document(document: bytes) -> SignedDocument:
    """Check a document's signature with the key that it carries.

    Raises:
        SignatureError: If it is no signed document, or was changed after signing.
    """
    try:
        parts = json.loads(document)
        content = parts["content"]
        key = Ed25519PublicKey.from_public_bytes(
            base64.b64decode(parts["public_key"], validate=True)
        )
        signature = base64.b64decode(parts["signature"], validate=True)
        if not isinstance(content, dict):
            raise TypeError
    except (ValueError, KeyError, TypeError, binascii.Error):
        raise SignatureError("This is not a signed document of fedscan.") from None
    try:
        key.verify(signature, _canonical(content))
    except InvalidSignature:
        raise SignatureError("The signature does not fit: the document was changed.") from None
    return SignedDocument(content=content, signer=fingerprint(key))


def verify_signed_by(document: bytes, public_key: str, what: str) -> dict[str, Any]:
    """Check that a document was signed with a key that the reader trusts; return what it says.

    Args:
        document: The document.
        public_key: The public half of the coordinator's signing key, as PEM.
        what: The document, for the error.

    Raises:
        SignatureError: If it is no signed document, was changed, or another key signed it.
    """
    result = verify_document(document)
    try:
        key = load_pem_public_key(public_key.encode())
    except ValueError as error:
        raise SignatureError("The coordinator's public key cannot be read.") from error
    if not isinstance(key, Ed25519PublicKey) or fingerprint(key) != result.signer:
        raise SignatureError(
            f"{what} was signed with another key.",
            hint="Get record.pub from the coordinator over a way that you trust.",
        )
    return result.content


def _canonical(content: Mapping[str, Any]) -> bytes:
    return json.dumps(content, sort_keys=True, separators=(",", ":")).encode()
