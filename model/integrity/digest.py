"""The name of a generator: a digest of every file that decides about what it draws."""

from __future__ import annotations

import hashlib
import json
from pathlib import Path
from typing import Any

#: Ends of names of weights, configurations and vocabularies; tokenizers keep some in other files.
_DECIDES = (".safetensors", ".json", ".toml")
_TOKENIZERS = (".txt", ".model")
#: A configuration that only says something about the generator.
_ABOUT = "fedscan.json"
#: Keys of configurations that tell where and with what they were written.
_ORIGIN = ("_name_or_path", "_diffusers_version", "transformers_version")


def generator_digest(path: Path) -> str:
    """SHA-256 over all weights of a generator folder, and all configurations that change results.

    What is said about the generator (its cards), the code that opens it and whatever else lies
    there are not part of it, nor is the layout of a configuration's JSON.
    """
    digest = hashlib.sha256(b"fedscan generator 2\n")
    for file in sorted(path.rglob("*")):
        place = file.relative_to(path)
        name, kinds = (
            place.as_posix(),
            _DECIDES if len(place.parts) == 1 else _DECIDES + _TOKENIZERS,
        )
        is_hidden = any(part.startswith(".") for part in place.parts)
        if name == _ABOUT or is_hidden or file.suffix not in kinds or not file.is_file():
            continue
        if file.suffix == ".json":
            content = hashlib.sha256(_plain(name, file.read_bytes())).digest()
        else:
            content = _file_digest(file)
        digest.update(name.encode() + b"\0" + content)
    return digest.hexdigest()


def weights_digest(path: Path) -> str:
    """SHA-256 over all weight files of a generator folder: its digest in earlier releases."""
    digest = hashlib.sha256()
    for file in sorted(path.rglob("*.safetensors")):
        digest.update(file.relative_to(path).as_posix().encode())
        digest.update(_file_digest(file))
    return digest.hexdigest()


def _file_digest(file: Path) -> bytes:
    """Read a file a piece at a time: weights may be larger than what memory is free."""
    with file.open("rb") as content:
        return hashlib.file_digest(content, "sha256").digest()


def _plain(name: str, content: bytes) -> bytes:
    """Return a JSON file's values in one form, without where they come from."""
    try:
        values: Any = json.loads(content)
    except ValueError:
        return content
    if isinstance(values, dict):
        no_content = {*_ORIGIN, "_class_name"} if name == "model_index.json" else _ORIGIN
        values = {key: value for key, value in values.items() if key not in no_content}
    return json.dumps(values, sort_keys=True, separators=(",", ":")).encode()
