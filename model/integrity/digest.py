"""The name of a generator: a digest of every file that decides about what it draws."""

from __future__ import annotations

import hashlib
import json
from pathlib import Path
from typing import Any

#: Files of a generator's folder that say something about it, and change no image.
_ABOUT = frozenset({"README.md", "fedscan.json", "pipeline.py"})
#: Keys of configurations that tell where and with what they were written.
_ORIGIN = ("_name_or_path", "_diffusers_version", "transformers_version")


def generator_digest(path: Path) -> str:
    """SHA-256 over all weights of a generator folder, and all configurations that change results.

    What is said about the generator (its cards) and the code that opens it are not part of it, nor
    is the layout of a configuration's JSON.
    """
    digest = hashlib.sha256(b"fedscan generator 2\n")
    for file in sorted(path.rglob("*")):
        name = file.relative_to(path).as_posix()
        if name in _ABOUT or not file.is_file() or any(part[0] == "." for part in Path(name).parts):
            continue
        content = file.read_bytes()
        if file.suffix == ".json":
            content = _plain(name, content)
        digest.update(name.encode() + b"\0" + hashlib.sha256(content).digest())
    return digest.hexdigest()


def weights_digest(path: Path) -> str:
    """SHA-256 over all weight files of a generator folder: its digest in earlier releases."""
    digest = hashlib.sha256()
    for file in sorted(path.rglob("*.safetensors")):
        digest.update(file.relative_to(path).as_posix().encode())
        digest.update(hashlib.sha256(file.read_bytes()).digest())
    return digest.hexdigest()


def _plain(name: str, content: bytes) -> bytes:
    """Return a JSON file's values in one form, without where they come from."""
    try:
        values: Any = json.loads(content)
    except ValueError:
        return content
    if isinstance(values, dict):
        dropped = {*_ORIGIN, "_class_name"} if name == "model_index.json" else _ORIGIN
        values = {key: value for key, value in values.items() if key not in dropped}
    return json.dumps(values, sort_keys=True, separators=(",", ":")).encode()
