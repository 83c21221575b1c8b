"""The signed record of a study: what was trained, on which terms, by whom, with which result.

A researcher who has the coordinator's public key can tell from it whether a generator is the one
that the study made.
"""

from __future__ import annotations

import hashlib
from collections import Counter
from collections.abc import Mapping
from dataclasses import asdict
from pathlib import Path
from typing import Any

from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat

from ... import __version__
from ...common.files import write_atomically
from ...common.signing import open_signing_key, sign_document, verify_signed_by
from ...config.study import Study, study_digest
from ...errors import SignatureError
from ...federation.bundle import bundle_hash
from ...federation.protocol import OK
from ...model.storage import generator_digest, weights_digest
from ..history import History
from ..job import KEYS_ERASED, ServerJob
from ..joint.ending import erased_at
from ..terms import site_terms, study_at_site

#: Version 1 named generators by their weights alone.
_VERSION = 2


def write_record_key(path: Path) -> None:
    """Make the key that records are signed with, and its public half beside it."""
    public = open_signing_key(path).public_key()
    pem = public.public_bytes(Encoding.PEM, PublicFormat.SubjectPublicKeyInfo)
    write_atomically(path.with_suffix(".pub"), pem)


def read_record_public_key(path: Path) -> str:
    """Return the public half, as PEM, of the key in a file."""
    return path.with_suffix(".pub").read_text(encoding="utf-8")


def study_record(study: Study, job: ServerJob, base: str, roster: str = "") -> dict[str, Any]:
    """Return what a finished study's record says; all of it is public.

    Args:
        study: The study.
        job: Where its results lie.
        base: Digest of the generator that it started from.
        roster: A joint study's roster.
    """
    parts: dict[str, Counter[str]] = {}
    for entry in History(job.run / "history.jsonl").entries():
        parts.setdefault(entry.site, Counter())[entry.code] += 1
    return {
        "version": _VERSION,
        "study": study.name,
        "settings": study_digest(study),
        "approved": study_at_site(study, base, roster),
        "terms": site_terms(study, roster),
        "privacy": _promised(study),
        # In the words of the study, which are part of the terms where there are any.
        "about": asdict(study.about),
        "rounds": study.federation.rounds,
        "seed": study.seed,
        "base": base,
        "generator": generator_digest(job.generator),
        # Everything of the released folder: the card's promise and the scheduler count, too.
        "files": _digests(job.generator),
        # What each site answered, and how often.
        "sites": {site: dict(sorted(codes.items())) for site, codes in sorted(parts.items())},
        "contributors": sorted(site for site, codes in parts.items() if codes[OK]),
        # Where nobody can take masks off any more, whatever was kept of what was sent.
        **({"keys_erased": erased_at(job.run / KEYS_ERASED)} if roster else {}),
        "fedscan": __version__,
        "bundle": bundle_hash(),
    }


def _promised(study: Study) -> dict[str, Any] | None:
    """Return what the study promises each patient; both promises of a joint one."""
    privacy = study.privacy
    if not privacy.enabled:
        return None
    promise = {"epsilon": privacy.epsilon, "delta": privacy.delta}
    if privacy.sum == "local":
        return promise
    return {
        **promise,
        "collusion_epsilon": privacy.collusion_epsilon,
        "min_sites": privacy.min_sites,
        "colluding_sites": privacy.most_colluding,
    }


def sign_record(record: Mapping[str, Any], key_file: Path) -> bytes:
    """Return a record with its signature, as a file's content.

    Raises:
        SignatureError: If the key cannot be read.
    """
    return sign_document(record, open_signing_key(key_file))


def verify_record(content: bytes, public_key: str, generator: Path | None) -> dict[str, Any]:
    """Check a signed record, and that a generator is the one it speaks of.

    Args:
        content: The record's file.
        public_key: The coordinator's public key, as PEM.
        generator: Folder of the generator; ``None`` to check the record alone.

    Returns:
        The record.

    Raises:
        SignatureError: If the record was changed or another key signed it, or a file of the
            generator was changed, added or taken away.
    """
    record = verify_signed_by(content, public_key, "The record")
    if generator is not None:
        _require_same(generator, record)
    return record


def covers_every_file(record: Mapping[str, Any]) -> bool:
    """Whether a record names every file of its generator; those of earlier releases do not."""
    return "files" in record


def _require_same(generator: Path, record: Mapping[str, Any]) -> None:
    if covers_every_file(record):
        _require_same_files(generator, record)
    digest = weights_digest if record.get("version") == 1 else generator_digest
    if digest(generator) != record.get("generator"):
        raise SignatureError(f"The generator in {generator} is not the one of the record.")


def _require_same_files(generator: Path, record: Mapping[str, Any]) -> None:
    files, present = record["files"], _digests(generator)
    differences = [
        *(f"{name} is missing" for name in sorted(files.keys() - present.keys())),
        *(f"{name} was added" for name in sorted(present.keys() - files.keys())),
        *(
            f"{name} was changed"
            for name in sorted(files.keys() & present.keys())
            if files[name] != present[name]
        ),
    ]
    if differences:
        raise SignatureError(
            f"The generator in {generator} is not as it was released: {'; '.join(differences)}.",
            hint="Get the folder from the coordinator again.",
        )


def _digests(folder: Path) -> dict[str, str]:
    """SHA-256 of each file below a folder, by its path there."""
    return {
        path.relative_to(folder).as_posix(): hashlib.sha256(path.read_bytes()).hexdigest()
        for path in sorted(folder.rglob("*"))
        if path.is_file() or path.is_symlink()
    }
