"""Find a generator on disk and name it by its content."""

from __future__ import annotations

import hashlib
from pathlib import Path

from ..errors import ModelError


def find_generator(path: Path) -> Path:
    """Return the generator folder at ``path``, or within the run folder ``path``.

    Raises:
        ModelError: If there is none.
    """
    for folder in (path, path / "generator"):
        if (folder / "model_index.json").is_file():
            return folder
    raise ModelError(
        f"There is no generator in {path}.",
        hint="Give the folder that `fedscan simulate` or `fedscan pretrain` wrote.",
    )


def generator_digest(folder: Path) -> str:
    """Return the SHA-256 over a generator's weight files and their names, in hex."""
    digest = hashlib.sha256()
    for file in sorted(folder.rglob("*.safetensors")):
        digest.update(file.relative_to(folder).as_posix().encode() + b"\0")
        with file.open("rb") as stream:
            digest.update(hashlib.file_digest(stream, "sha256").digest())
    return digest.hexdigest()
