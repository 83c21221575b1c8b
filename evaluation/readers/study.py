"""A reader study's folder: images without a name that tells, the key to them, and the answers.

```
study.json       name, question and the images' names, in no order that tells
images/<name>.png   grey pixels and nothing else
key.json         which are synthetic; only scoring opens it
answers/<reader>.jsonl   one line per answer, on disk before the reader sees the next image
```
"""

from __future__ import annotations

import hashlib
import io
import json
import re
import secrets
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from ...common.files import write_atomically
from ...errors import ConfigurationError, DataError
from ...model.marking import to_grey

STUDY = "study.json"
KEY = "key.json"
IMAGES = "images"
ANSWERS = "answers"
_READER = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]{0,31}")
_ITEM = re.compile(r"[0-9a-f]{16}")


@dataclass(frozen=True)
class ReaderStudy:
    """A reader study on disk.

    Attributes:
        folder: Its folder.
        name: Its name for readers.
        items: Names of its images.
        ct: Those of them that are CT, whose window readers may choose.
    """

    folder: Path
    name: str
    items: tuple[str, ...]
    ct: frozenset[str] = frozenset()

    @classmethod
    def create(
        cls,
        folder: Path,
        name: str,
        real: NDArray[np.float32],
        synthetic: NDArray[np.float32],
        captions: Sequence[str],
        ct: Sequence[bool] = (),
    ) -> ReaderStudy:
        """Write a new study.

        Args:
            folder: Must not hold a study.
            name: For readers; says nothing of which images are which.
            real: ``[N, H, W]`` in [-1, 1].
            synthetic: ``[M, H, W]``, of the same size.
            captions: What each image shows or was asked to show, real ones first; for the key.
            ct: Whether each is CT, in the model's map of Hounsfield units; none is if empty. Real
                and synthetic images of one caption are alike in this, so that it tells nothing.

        Raises:
            ConfigurationError: If the folder holds a study already.
        """
        cls.require_none(folder)
        images = np.concatenate([real, synthetic])
        # Names and their order come from the system's randomness, never from a seed that is known.
        names = [secrets.token_hex(8) for _ in images]
        for item, image in zip(names, images, strict=True):
            write_atomically(folder / IMAGES / f"{item}.png", _png(image))
        key = {
            item: {"synthetic": number >= len(real), "caption": caption}
            for number, (item, caption) in enumerate(zip(names, captions, strict=True))
        }
        write_atomically(folder / KEY, (json.dumps(dict(sorted(key.items())), indent=1)).encode())
        items = sorted(names)
        # Last: a folder without it is no study, so a broken start leaves nothing half done.
        of_ct = sorted(item for item, is_ct in zip(names, ct, strict=False) if is_ct)
        about = {"name": name, "items": items, "ct": of_ct}
        write_atomically(folder / STUDY, json.dumps(about, indent=1).encode())
        return cls(folder, name, tuple(items), frozenset(of_ct))

    @staticmethod
    def require_none(folder: Path) -> None:
        """Refuse a folder that holds a study.

        Raises:
            ConfigurationError: If it does.
        """
        if (folder / STUDY).exists():
            raise ConfigurationError(
                f"{folder} holds a reader study already.",
                hint="Choose another folder: answers belong to the images they were given for.",
            )

    @classmethod
    def open(cls, folder: Path) -> ReaderStudy:
        """Open a study; the key is not read.

        Raises:
            DataError: If the folder holds none, or it is damaged.
        """
        values = _read_json(folder / STUDY)
        items = values.get("items")
        name = values.get("name")
        ct = values.get("ct", [])  # an earlier release's study has none
        if (
            not isinstance(name, str)
            or not isinstance(items, list)
            or not items
            or not all(isinstance(item, str) and _ITEM.fullmatch(item) for item in items)
            or not isinstance(ct, list)
            or not set(ct) <= set(items)
        ):
            raise DataError(f"{folder / STUDY} does not describe a reader study.")
        return cls(folder, name, tuple(items), frozenset(ct))

    def key(self) -> dict[str, bool]:
        """Whether each image is synthetic; for scoring alone.

        Raises:
            DataError: If the key is missing or is not of these images.
        """
        values = _read_json(self.folder / KEY)
        if set(values) != set(self.items):
            raise DataError(f"{self.folder / KEY} is not the key of this study's images.")
        return {item: bool(entry["synthetic"]) for item, entry in values.items()}

    def order(self, reader: str) -> tuple[str, ...]:
        """All images in a reader's own order, which lasts.

        Raises:
            ConfigurationError: If the reader's name is of a wrong form.
        """
        check_reader(reader)
        return tuple(
            sorted(
                self.items,
                key=lambda item: hashlib.sha256(f"{reader.lower()} {item}".encode()).digest(),
            )
        )

    def image(self, item: str) -> bytes:
        """The PNG of an image.

        Raises:
            DataError: If the study has no such image.
        """
        if item not in self.items:
            raise DataError("The study has no such image.")
        return (self.folder / IMAGES / f"{item}.png").read_bytes()


def check_reader(reader: str) -> None:
    """Check a reader's name.

    Raises:
        ConfigurationError: If it is of a wrong form.
    """
    if not _READER.fullmatch(reader):
        raise ConfigurationError(
            f"{reader!r} cannot name a reader.",
            hint="Use up to 32 letters without accents, digits, '.', '_' and '-'.",
        )


def _png(image: NDArray[np.float32]) -> bytes:
    """Pixels alone: real and synthetic images must not differ in anything else."""
    buffer = io.BytesIO()
    grey = to_grey(image)
    Image.frombytes("L", grey.size, grey.tobytes()).save(buffer, "PNG")
    return buffer.getvalue()


def _read_json(path: Path) -> dict[str, Any]:
    try:
        values = json.loads(path.read_bytes())
    except (OSError, ValueError) as error:
        raise DataError(
            f"{path} cannot be read.", hint="`fedscan reader-study init` makes a study."
        ) from error
    if not isinstance(values, dict):
        raise DataError(f"{path} does not hold what it should.")
    return values
