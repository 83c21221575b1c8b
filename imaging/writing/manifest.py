"""The signed list of a folder's generated files: nothing can be changed or slipped in unseen."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from ... import __version__
from ...common.files import write_atomically
from ...common.signing import sign_document, verify_document
from ...errors import SignatureError

NAME = "manifest.json"
_VERSION = 1


@dataclass(frozen=True, kw_only=True)
class CheckedFolder:
    """A folder that is as its manifest says.

    Attributes:
        files: Names of the files that the manifest lists.
        unlisted: Names of files in the folder that it does not list.
        signer: Fingerprint of the key that signed it.
        generator: Digest of the generator.
    """

    files: tuple[str, ...]
    unlisted: tuple[str, ...]
    signer: str
    generator: str


def write_manifest(
    folder: Path,
    files: Sequence[tuple[Path, Mapping[str, Any]]],
    *,
    generator: str,
    key: Ed25519PrivateKey,
) -> Path:
    """Write and sign the manifest of a folder.

    Args:
        folder: The folder.
        files: Each file in it with what is to be said of it (prompt, seed, …).
        generator: Digest of the generator.
        key: Signs it.

    Returns:
        The manifest's file.
    """
    content = {
        "version": _VERSION,
        "fedscan": __version__,
        "made": datetime.now(UTC).isoformat(timespec="seconds"),
        "generator": generator,
        "files": [
            {
                "name": path.relative_to(folder).as_posix(),
                "sha256": _digest(path),
                "bytes": path.stat().st_size,
                **facts,
            }
            for path, facts in files
        ],
    }
    path = folder / NAME
    write_atomically(path, sign_document(content, key))
    return path


def check_folder(folder: Path, *, signer: str = "") -> CheckedFolder:
    """Check a folder against its signed manifest.

    Args:
        folder: The folder.
        signer: Fingerprint, or the beginning of one, of the key that must have signed it;
            without it any key will do.

    Raises:
        SignatureError: If there is no manifest, its signature does not fit, another key signed
            it, or a listed file is missing or was changed; names all such files.

    >>> import fedscan
    >>> asked = fedscan.GenerateRequest(prompts=["chest X-ray"], count=1, steps=1)
    >>> written = fedscan.generate(fedscan.load_generator(run), asked).write(out / "checked")
    >>> fedscan.check_folder(out / "checked").unlisted
    ()
    """
    try:
        document = verify_document((folder / NAME).read_bytes())
    except OSError as error:
        raise SignatureError(
            f"{folder} has no readable {NAME}.",
            hint="Give a folder that `fedscan generate` wrote.",
        ) from error
    if not document.signer.startswith(signer.lower()):
        raise SignatureError(
            f"Another key signed the manifest: {document.signer}.",
            hint="Ask whoever gave you the files which of the two keys is theirs.",
        )
    wrong, names = [], []
    try:
        generator = str(document.content["generator"])
        for entry in document.content["files"]:
            name, digest = str(entry["name"]), str(entry["sha256"])
            names.append(name)
            file = folder / name
            if not file.resolve().is_relative_to(folder.resolve()):
                raise SignatureError(f"The manifest lists a file outside {folder}: {name!r}.")
            if not file.is_file():
                wrong.append(f"{name} is missing")
            elif _digest(file) != digest:
                wrong.append(f"{name} was changed")
    except (KeyError, TypeError) as error:
        raise SignatureError(f"The manifest in {folder} is of an unknown layout.") from error
    if wrong:
        raise SignatureError(f"{folder} is not as its manifest says: {'; '.join(wrong)}.")
    present = {path.relative_to(folder).as_posix() for path in folder.rglob("*") if path.is_file()}
    return CheckedFolder(
        files=tuple(names),
        unlisted=tuple(sorted(present - set(names) - {NAME})),
        signer=document.signer,
        generator=generator,
    )


def _digest(path: Path) -> str:
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()
