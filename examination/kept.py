"""Sections that outlive an interrupted examination."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping
from dataclasses import asdict
from pathlib import Path
from typing import Any

import numpy as np

from ..errors import DataError
from ..evaluation.real_sets import ImageSet, RealSets
from ..files import write_atomically
from .section import Section

#: Folder within an examination's, one file for each section.
FOLDER = "sections"


class KeptSections:
    """Finished sections on disk, each with what it depends on.

    A section is taken up only by an examination of the same generators, images and settings by
    the same version; by any other it is measured anew.
    """

    def __init__(self, out: Path, depends_on: str) -> None:
        """Open what an earlier examination left.

        Args:
            out: The examination's folder, where the figures of its sections lie.
            depends_on: Digest of all that decides what is found; see :func:`digest_of`.
        """
        self._out = out
        self._depends_on = depends_on

    def find(self, key: str) -> Section | None:
        """Return a finished section; ``None`` if there is none that holds, or it is damaged."""
        try:
            values = json.loads(self._file(key).read_bytes())
            if values["depends_on"] != self._depends_on:
                return None
            section = Section.from_dict(values["section"])
        except (OSError, ValueError, TypeError, KeyError, DataError):
            return None
        whole = all((self._out / figure.file).is_file() for figure in section.figures)
        return section if whole and section.key == key else None

    def keep(self, section: Section) -> None:
        """Put a finished section on disk."""
        values = {"depends_on": self._depends_on, "section": section.to_dict()}
        write_atomically(self._file(section.key), json.dumps(values).encode())

    def forget(self, key: str) -> None:
        """Drop a section that is about to be measured: its figures will be other ones."""
        self._file(key).unlink(missing_ok=True)

    def _file(self, key: str) -> Path:
        return self._out / FOLDER / f"{key}.json"


def digest_of(real: RealSets, facts: Mapping[str, Any]) -> str:
    """SHA-256 of what decides what an examination finds.

    Args:
        real: The real images.
        facts: Generators, settings and version, as plain values for JSON.
    """
    digest = hashlib.sha256(json.dumps(facts, sort_keys=True).encode())
    for images in (real.train, real.holdout):
        _add(digest, images)
    return digest.hexdigest()


def _add(digest: hashlib._Hash, images: ImageSet) -> None:
    arrays = (images.images, images.positions, *images.masks)
    labels = [
        [asdict(shown) for shown in images.descriptions],
        images.patients,
        images.sites,
        images.scanners,
        [None if array is None else (array.shape, array.dtype.str) for array in arrays],
    ]
    digest.update(json.dumps(labels, default=str).encode())
    for array in arrays:
        if array is not None:
            digest.update(np.ascontiguousarray(array).data)
