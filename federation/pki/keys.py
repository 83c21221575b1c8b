"""Private keys: made where they are used, kept there, never in a message.

All keys are on the curve P-384, which TLS 1.3 and Flower's node authentication both take.
"""

from __future__ import annotations

import hashlib
import os
import re
from pathlib import Path

from cryptography.exceptions import UnsupportedAlgorithm
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.serialization import (
    Encoding,
    NoEncryption,
    PrivateFormat,
    PublicFormat,
    load_pem_private_key,
    load_ssh_private_key,
    load_ssh_public_key,
)

from ...common.files import sync_folder
from ...errors import FederationError, SignatureError

PrivateKey = ec.EllipticCurvePrivateKey
PublicKey = ec.EllipticCurvePublicKey


def new_key() -> PrivateKey:
    """Return a new private key on P-384."""
    return ec.generate_private_key(ec.SECP384R1())


def write_private_key(path: Path, key: PrivateKey, *, openssh: bool = False) -> None:
    """Write a private key that only its owner can read; an existing file is never replaced.

    Args:
        path: The new file.
        key: The key.
        openssh: Write OpenSSH's format, as Flower's SuperNode reads it, instead of PKCS #8.

    Raises:
        FederationError: If the file exists: whoever trusts the old key would be lost.
    """
    layout = PrivateFormat.OpenSSH if openssh else PrivateFormat.PKCS8
    content = key.private_bytes(Encoding.PEM, layout, NoEncryption())
    path.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
    try:
        # The mode is given on creation: there is no moment at which others could read it.
        descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
    except FileExistsError:
        raise FederationError(
            f"The private key {path} exists already.",
            hint="Keep it, or move it away if it must not be used any more.",
        ) from None
    with os.fdopen(descriptor, "wb") as file:
        file.write(content)
        file.flush()
        os.fsync(file.fileno())
    sync_folder(path.parent)


def read_private_key(path: Path) -> PrivateKey:
    """Read a private key in either format.

    Raises:
        FederationError: If it is missing, damaged, encrypted or on another curve.
    """
    try:
        content = path.read_bytes()
        load = load_ssh_private_key if b"OPENSSH" in content[:64] else load_pem_private_key
        key = load(content, password=None)
    except OSError as error:
        raise FederationError(f"The private key {path}: {error.strerror}.") from error
    except (ValueError, TypeError, UnsupportedAlgorithm) as error:
        raise FederationError(f"The private key {path} cannot be read.") from error
    if not isinstance(key, ec.EllipticCurvePrivateKey) or key.curve.name != ec.SECP384R1.name:
        raise FederationError(f"The private key {path} is not on the curve P-384.")
    return key


def public_text(key: PublicKey) -> str:
    """Return a public key as one line in OpenSSH's format."""
    return key.public_bytes(Encoding.OpenSSH, PublicFormat.OpenSSH).decode()


def read_public_text(text: str) -> PublicKey:
    """Read what :func:`public_text` wrote.

    Raises:
        FederationError: If it is not such a key.
    """
    try:
        key = load_ssh_public_key(text.encode())
    except (ValueError, UnsupportedAlgorithm) as error:
        raise FederationError("The node's public key cannot be read.") from error
    if not isinstance(key, ec.EllipticCurvePublicKey) or key.curve.name != ec.SECP384R1.name:
        raise FederationError("The node's public key is not on the curve P-384.")
    return key


def public_pem(key: PublicKey) -> bytes:
    """Return a public key as PEM, which is how Flower sends and stores a node's."""
    return key.public_bytes(Encoding.PEM, PublicFormat.SubjectPublicKeyInfo)


def fingerprint(content: bytes) -> str:
    """Return what two people compare on the telephone: 64 hex digits in groups of four."""
    digits = hashlib.sha256(content).hexdigest()
    return " ".join(digits[start : start + 4] for start in range(0, len(digits), 4))


def is_same_fingerprint(fingerprint: str, reference: str, *, whose: str) -> bool:
    """Compare a fingerprint with what a person was told, whatever it is grouped by.

    Args:
        fingerprint: What the file has.
        reference: What a person was told; empty if nothing.
        whose: What it is the fingerprint of.

    Returns:
        Whether there was anything to compare it with.

    Raises:
        SignatureError: If they differ.
    """
    if not reference:
        return False
    if _digits(fingerprint) != _digits(reference):
        raise SignatureError(
            f"The fingerprint of {whose} is {fingerprint}, not {reference.strip()}.",
            hint="Nothing was changed. Somebody may have changed the file on its way: ask for it "
            "once more, and compare by telephone.",
        )
    return True


def _digits(text: str) -> str:
    return re.sub(r"[\s:-]", "", text).lower()
