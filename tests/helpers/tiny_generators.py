"""Untrained generators of 32 pixels on disk, and the digests of what lies there."""

from __future__ import annotations

import hashlib
from pathlib import Path


def save_tiny_generator(folder: Path) -> Path:
    """Write an untrained generator and return its folder; heavy libraries are imported only now."""
    from fedscan.model.generator import build_generator
    from fedscan.model.settings import GeneratorSettings
    from fedscan.model.storage import save_generator

    save_generator(build_generator(GeneratorSettings(size="tiny"), seed=0), folder)
    return folder


def weight_digests(folder: Path) -> dict[str, str]:
    """Return the digest of each file of weights below a folder, by the part that it belongs to."""
    return {
        path.parent.name: hashlib.sha256(path.read_bytes()).hexdigest()
        for path in folder.rglob("*.safetensors")
    }
