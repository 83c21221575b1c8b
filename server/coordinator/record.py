"""The signed record of a study: what was trained, on which terms, by whom, with which result.

Signed with Ed25519 (RFC 8032) over the record's canonical JSON, so that a researcher who has the
coordinator's public key can tell whether a generator is the one that the study made.
"""

from __future__ import annotations

import base64
import binascii
import json
import os
from collections import Counter
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey, Ed25519PublicKey
from cryptography.hazmat.primitives.serialization import (
    Encoding,
    NoEncryption,
    PrivateFormat,
    PublicFormat,
    load_pem_private_key,
    load_pem_public_key,
)

from ... import __version__
from ...bundle import bundle_hash
from ...config.study import Study, study_digest
from ...errors import FederationError
from ...files import write_atomically
from ...model.storage import generator_digest
from ...protocol import OK
from ..history import History
from ..job import ServerJob
from ..terms import site_terms, study_at_site

_VERSION = 1


def write_record_key(path: Path) -> None:
    """Make the key that records are signed with, and its public half beside it."""
    key = Ed25519PrivateKey.generate()
    path.parent.mkdir(parents=True)
    descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
    with os.fdopen(descriptor, "wb") as file:
        file.write(key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption()))
    public = key.public_key().public_bytes(Encoding.PEM, PublicFormat.SubjectPublicKeyInfo)
    write_atomically(path.with_suffix(".pub"), public)


def read_record_public_key(path: Path) -> str:
    """Return the public half, as PEM, of the key in a file."""
    return path.with_suffix(".pub").read_text(encoding="utf-8")


def study_record(study: Study, job: ServerJob, base: str) -> dict[str, Any]:
    """Return what a finished study's record says; all of it is public.

    Args:
        study: The study.
        job: Where its results lie.
        base: Digest of the generator that it started from.
    """
    parts: dict[str, Counter[str]] = {}
    for entry in History(job.run / "history.jsonl").entries():
        parts.setdefault(entry.site, Counter())[entry.code] += 1
    return {
        "version": _VERSION,
        "study": study.name,
        "settings": study_digest(study),
        "approved": study_at_site(study, base),
        "terms": site_terms(study),
        "rounds": study.federation.rounds,
        "seed": study.seed,
        "base": base,
        "generator": generator_digest(job.generator),
        # What each site answered, and how often.
        "sites": {site: dict(sorted(codes.items())) for site, codes in sorted(parts.items())},
        "contributors": sorted(site for site, codes in parts.items() if codes[OK]),
        "fedscan": __version__,
        "bundle": bundle_hash(),
    }


def sign_record(record: Mapping[str, Any], key_file: Path) -> bytes:
    """Return a record with its signature, as a file's content.

    Raises:
        FederationError: If the key cannot be read.
    """
    try:
        key = load_pem_private_key(key_file.read_bytes(), password=None)
    except (OSError, ValueError, TypeError) as error:
        raise FederationError(f"The record key {key_file} cannot be read.") from error
    if not isinstance(key, Ed25519PrivateKey):
        raise FederationError(f"The record key {key_file} is not an Ed25519 key.")
    signature = base64.b64encode(key.sign(_canonical(record))).decode()
    return json.dumps({"record": dict(record), "signature": signature}, indent=2).encode() + b"\n"


def verify_record(content: bytes, public_key: str, generator: Path | None) -> dict[str, Any]:
    """Check a signed record, and that a generator is the one it speaks of.

    Args:
        content: The record's file.
        public_key: The coordinator's public key, as PEM.
        generator: Folder of the generator; ``None`` to check the record alone.

    Returns:
        The record.

    Raises:
        FederationError: If the signature does not fit, or the generator is another.
    """
    try:
        signed = json.loads(content)
        record, signature = signed["record"], base64.b64decode(signed["signature"], validate=True)
        key = load_pem_public_key(public_key.encode())
    except (ValueError, KeyError, TypeError, binascii.Error) as error:
        raise FederationError("The record or the key cannot be read.") from error
    if not isinstance(key, Ed25519PublicKey):
        raise FederationError("The key is not an Ed25519 key.")
    try:
        key.verify(signature, _canonical(record))
    except InvalidSignature:
        raise FederationError(
            "The record's signature does not fit: it was changed, or another coordinator signed it."
        ) from None
    if generator is not None and generator_digest(generator) != record.get("generator"):
        raise FederationError(f"The generator in {generator} is not the one of the record.")
    return dict(record)


def _canonical(record: Any) -> bytes:
    return json.dumps(record, sort_keys=True, separators=(",", ":")).encode()
