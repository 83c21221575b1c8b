"""One patient's examples in one memory-mapped file.

Images are 16-bit fixed point: a step is 3e-5 of the model's range, below 0.14 HU even where
the intensity map is coarsest, at half the size of float32.
"""

from __future__ import annotations

import hashlib
import json
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray
from safetensors import SafetensorError, safe_open
from safetensors.numpy import save

from ...common.files import replacing
from ...errors import DataError
from ...imaging.dicom.set_aside import Reason
from ...model.description import Description
from ...model.example import Example

_SCALE = 32767
_NO_MASK = -1


@dataclass(frozen=True)
class PatientFile:
    """A patient's stored examples: descriptions in memory, pixels on disk.

    Attributes:
        path: The file.
        source: Digest of the names, sizes and times of its scans, and of the settings.
        touches: Digest of when the disk last changed its scans.
        content: Digest of the examples themselves.
        descriptions: One per example.
        set_aside: Files (or blank slices) of this patient that could not be used.
        reports: Free text, one per example; none at all where no example has any.
    """

    path: Path
    source: str
    touches: str
    content: str
    descriptions: tuple[Description, ...]
    set_aside: Counter[Reason]
    reports: tuple[str, ...] = field(default=(), repr=False)

    def __len__(self) -> int:
        return len(self.descriptions)

    @classmethod
    def read(cls, path: Path) -> PatientFile:
        """Open a stored patient.

        Raises:
            DataError: If the file is missing or damaged.
        """
        try:
            with safe_open(path, framework="np") as file:
                metadata = file.metadata()
                made_from = {name: metadata[name] for name in ("source", "touches", "content")}
                kinds = [_description(kind) for kind in json.loads(metadata["descriptions"])]
                which = file.get_tensor("description")
                set_aside = json.loads(metadata["set_aside"])
                reports = tuple(json.loads(metadata.get("reports", "[]")))
        except (OSError, SafetensorError, KeyError, TypeError, ValueError) as error:
            raise DataError(
                "A cached patient file is missing or damaged.",
                hint="Open the data set again: it rebuilds what is missing.",
            ) from error
        return cls(
            path=path,
            **made_from,
            descriptions=tuple(kinds[index] for index in which),
            set_aside=Counter({Reason(name): count for name, count in set_aside.items()}),
            reports=reports,
        )

    def examples(self, indices: Sequence[int] | None = None) -> list[Example]:
        """Read examples; only the wanted ones are read from disk.

        Args:
            indices: Which ones, in this order; all of them by default.
        """
        rows = range(len(self)) if indices is None else indices
        with safe_open(self.path, framework="np") as file:
            images, masks = file.get_slice("images"), file.get_slice("masks")
            positions, mask_of = file.get_tensor("position"), file.get_tensor("mask_of")
            return [
                Example(
                    image=images[i : i + 1][0].astype(np.float32) / _SCALE,
                    description=self.descriptions[i],
                    position=float(positions[i]),
                    mask=masks[m : m + 1][0] if (m := int(mask_of[i])) != _NO_MASK else None,
                    report=self.reports[i] if self.reports else "",
                )
                for i in map(int, rows)
            ]


def write_patient(
    path: Path,
    examples: Sequence[Example],
    *,
    source: str,
    touches: str,
    set_aside: Counter[Reason],
    side: int,
) -> None:
    """Store a patient's examples, whole or not at all.

    Args:
        path: Where to.
        examples: May be empty: then it is on record that this patient has none.
        source: Digest of the names, sizes and times of their scans, and of the settings.
        touches: Digest of when the disk last changed the scans.
        set_aside: What could not be used.
        side: Height and width of the images.
    """
    kinds = list(dict.fromkeys(example.description for example in examples))
    number = {kind: index for index, kind in enumerate(kinds)}
    masks = [example.mask for example in examples if example.mask is not None]
    mask_of = np.full(len(examples), _NO_MASK, np.int32)
    mask_of[[example.mask is not None for example in examples]] = np.arange(len(masks))
    images = np.zeros((len(examples), side, side), np.int16)
    for index, example in enumerate(examples):
        images[index] = np.rint(example.image * _SCALE)
    tensors: dict[str, np.ndarray] = {
        "images": images,
        "masks": np.stack(masks) if masks else np.zeros((0, side, side), np.uint8),
        "mask_of": mask_of,
        "position": np.array([example.position for example in examples], np.float32),
        "description": np.array([number[e.description] for e in examples], np.int32),
    }
    descriptions = json.dumps([asdict(kind) for kind in kinds])
    reports = json.dumps([example.report for example in examples])
    if not any(example.report for example in examples):
        reports = ""
    metadata = {
        "source": source,
        "touches": touches,
        "content": _digest(tensors, descriptions, reports),
        "descriptions": descriptions,
        "set_aside": json.dumps({reason.value: count for reason, count in set_aside.items()}),
    }
    if reports:
        metadata["reports"] = reports
    # A cache can be rebuilt, so it is renamed into place but not forced to disk: a file cut
    # short by a power failure is found damaged, and made again.
    with replacing(path) as temporary:
        # Written here and not by safetensors, whose errors do not say that a disk is full.
        temporary.touch(0o600)
        temporary.write_bytes(
            save({name: np.asarray(value) for name, value in tensors.items()}, metadata)
        )


def _digest(tensors: Mapping[str, NDArray[Any]], descriptions: str, reports: str) -> str:
    digest = hashlib.sha256(f"{descriptions}\n{reports}\n".encode())
    for name in sorted(tensors):
        array = np.ascontiguousarray(tensors[name])
        digest.update(f"{name} {array.dtype.str} {array.shape}\n".encode())
        digest.update(array.tobytes())
    return digest.hexdigest()


def _description(values: dict[str, Any]) -> Description:
    """Make a description of what was stored; JSON has lists only."""
    return Description(**values | {"findings": tuple(values.get("findings", ()))})
