"""Writing the evidence, signed, into a folder; and checking a folder that somebody was given."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from pydantic_core import to_jsonable_python

from ...common.files import filling
from ...common.signing import fingerprint, open_signing_key, sign_document, verify_document
from ...errors import ConfigurationError, SignatureError
from ..steward.home import SiteHome
from .document import render
from .facts import collect
from .printing import print_page

#: The signed file, which names the others.
SIGNED = "evidence.json"
PAGE, PDF = "evidence.html", "evidence.pdf"
_KIND = "egress-evidence"
_VERSION = 1


@dataclass(frozen=True, kw_only=True)
class WrittenEvidence:
    """What was written.

    Attributes:
        folder: The folder.
        files: Its files by name, each with its SHA-256; without the signed one.
        signer: Fingerprint of the site's key that signed it.
    """

    folder: Path
    files: Mapping[str, str]
    signer: str


def write_evidence(
    home: SiteHome, folder: Path, examination: Mapping[str, Any] | None = None
) -> WrittenEvidence:
    """Write page, PDF (where a Chromium is on the machine) and signature, and put it on record.

    Args:
        home: The site's home.
        folder: A new folder.
        examination: The record of an examination, if there is one.

    Raises:
        ConfigurationError: If there is such a folder already.
        FedscanError: If the site's record is not whole; see :func:`~.facts.collect`.
    """
    if folder.exists():
        raise ConfigurationError(
            f"There is {folder} already.", hint="Name a new folder: evidence is not overwritten."
        )
    key = open_signing_key(home.evidence_key)
    signer, evidence = fingerprint(key.public_key()), collect(home, examination)
    with filling(folder, last=SIGNED) as inside:
        (inside / PAGE).write_bytes(render(evidence, signer))
        print_page(inside / PAGE, inside / PDF)
        files = {path.name: _digest(path) for path in sorted(inside.iterdir())}
        facts = to_jsonable_python(evidence, inf_nan_mode="strings")
        content = {"kind": _KIND, "version": _VERSION, "files": files, "facts": facts}
        (inside / SIGNED).write_bytes(sign_document(content, key))
        home.log.append("evidence-written", files=files, signer=signer)
    return WrittenEvidence(folder=folder, files=files, signer=signer)


def verify_evidence(folder: Path, signer: str = "") -> dict[str, Any]:
    """Check that a folder's files are those that were signed.

    Args:
        folder: The folder.
        signer: Fingerprint of the key that must have signed; any key if empty.

    Returns:
        What was signed: ``files`` and ``facts``; and ``signer``, whose key signed.

    Raises:
        SignatureError: If it is no such folder, a file was changed, added or removed, or another
            key signed.
    """
    try:
        document = (folder / SIGNED).read_bytes()
        files = {path.name: _digest(path) for path in folder.iterdir() if path.name != SIGNED}
    except OSError:
        raise SignatureError(
            f"There is no evidence in {folder}.",
            hint=f"It is a folder with {SIGNED}, {PAGE} and perhaps {PDF}.",
        ) from None
    result = verify_document(document)
    if result.content.get("kind") != _KIND or result.content.get("version") != _VERSION:
        raise SignatureError(f"{folder / SIGNED} is signed, and no evidence of this release.")
    digits = "".join(signer.split()).lower()
    if digits and digits != result.signer:
        raise SignatureError(
            f"It was signed with the key {result.signer}, not with {digits}.",
            hint="Ask the site's steward for the fingerprint over another way.",
        )
    if files != result.content["files"]:
        names = {name for name, _ in set(files.items()) ^ set(result.content["files"].items())}
        raise SignatureError(
            f"Not as it was signed: {', '.join(sorted(names))}.",
            hint="A file was changed, added or removed. Ask for the folder once more.",
        )
    return {**result.content, "signer": result.signer}


def _digest(path: Path) -> str:
    return hashlib.sha256(path.read_bytes()).hexdigest()
