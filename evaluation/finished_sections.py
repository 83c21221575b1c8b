"""Sections that outlive an interrupted examination."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Collection, Mapping
from dataclasses import asdict
from pathlib import Path
from typing import Any

import numpy as np

from ..common.files import write_atomically
from ..errors import DataError
from .measures.image_sets import ImageSet, RealSets
from .section import Section

#: Raised whenever the same generators, images and settings would give other numbers.
_FORMAT = 3
#: Folder within an examination's, one file for each section.
FOLDER = "sections"


class KeptSections:
    """Finished sections on disk, each with what it depends on.

    A section is taken up only by an examination of the same generators, images and settings by
    the same version; by any other it is measured anew.
    """

    def __init__(
        self,
        out: Path,
        depends_on: str,
        *,
        also: Mapping[str, str] | None = None,
        files: Mapping[str, str] | None = None,
        anew: Collection[str] = (),
    ) -> None:
        """Open what an earlier examination left.

        Args:
            out: The examination's folder, where the figures of its sections lie.
            depends_on: Digest of what decides all sections; see :func:`digest_of`.
            also: What else decides a section, by its key.
            files: File in ``out`` that a section writes beside its figures, by its key; without
                the file the section is measured anew.
            anew: Keys of sections that are never kept: those that take no time, and read what
                may have changed.
        """
        self._out = out
        self._depends_on = depends_on
        self._also = also or {}
        self._files = files or {}
        self._anew = anew

    def find(self, key: str) -> Section | None:
        """Return a finished section; ``None`` if there is none that holds, or it is damaged."""
        if key in self._anew:
            return None
        try:
            values = json.loads(self._file(key).read_bytes())
            if values["depends_on"] != self._all_of(key):
                return None
            section = Section.from_dict(values["section"])
        except (OSError, ValueError, TypeError, KeyError, DataError):
            return None
        files = [figure.file for figure in section.figures]
        files += [self._files[key]] if key in self._files else []
        whole = all((self._out / file).is_file() for file in files)
        return section if whole and section.key == key else None

    def keep(self, section: Section) -> None:
        """Put a finished section on disk."""
        if section.key in self._anew:
            return
        values = {"depends_on": self._all_of(section.key), "section": section.to_dict()}
        write_atomically(self._file(section.key), json.dumps(values).encode())

    def forget(self, key: str) -> None:
        """Drop a section that is about to be measured: its figures will be other ones."""
        self._file(key).unlink(missing_ok=True)

    def _all_of(self, key: str) -> list[str]:
        return [self._depends_on, self._also.get(key, "")]

    def _file(self, key: str) -> Path:
        return self._out / FOLDER / f"{key}.json"


def digest_of(real: RealSets, facts: Mapping[str, Any]) -> str:
    """SHA-256 of what decides what an examination finds.

    Args:
        real: The real images. Their scanners do not count: only one section reads them.
        facts: Generators, settings and version, as plain values for JSON.
    """
    digest = hashlib.sha256(json.dumps([_FORMAT, facts], sort_keys=True).encode())
    for images in (real.train, real.holdout):
        _add(digest, images)
    return digest.hexdigest()


def _add(digest: hashlib._Hash, images: ImageSet) -> None:
    arrays = (images.images, images.positions, *images.masks)
    labels = [
        [asdict(description) for description in images.descriptions],
        images.patients,
        images.sites,
        [None if array is None else (array.shape, array.dtype.str) for array in arrays],
    ]
    digest.update(json.dumps(labels, default=str).encode())
    for array in arrays:
        if array is not None:
            digest.update(np.ascontiguousarray(array).data)
