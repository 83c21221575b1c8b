"""Find a generator on disk."""

from __future__ import annotations

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
