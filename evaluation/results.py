"""The record that an examination leaves, as plain values that survive JSON."""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any, Literal

from pydantic import ConfigDict, TypeAdapter, ValidationError
from pydantic.dataclasses import dataclass

from ..common.files import write_atomically
from ..errors import DataError
from .gate import GateOutcome
from .section import Section

#: Name of the file that :func:`write_examination` writes.
FILE = "examination.json"


@dataclass(frozen=True, kw_only=True, config=ConfigDict(extra="forbid"))
class Examination:
    """What an examination found.

    Attributes:
        schema: Version of this layout.
        fedscan: Version of fedscan that examined.
        name: The generator's name.
        generator: Digest of its weights.
        against: Names and digests of the generators it is compared with.
        own_split: Whether the patients held out are those of the training run itself. If not,
            it may have been trained on some of them.
        train_patients: Patients trained on, as far as their images were used.
        holdout_patients: Patients held out, likewise.
        sections: What was found.
        gate: What became of the release gate, if one was held against it.
    """

    schema: Literal[1] = 1
    fedscan: str
    name: str
    generator: str
    against: dict[str, str]
    own_split: bool
    train_patients: int
    holdout_patients: int
    sections: tuple[Section, ...]
    gate: GateOutcome | None = None

    def to_dict(self) -> dict[str, Any]:
        """As plain values for JSON."""
        plain: dict[str, Any] = TypeAdapter(Examination).dump_python(self, mode="json")
        return plain

    @classmethod
    def from_dict(cls, values: Mapping[str, Any]) -> Examination:
        """Read what :meth:`to_dict` wrote.

        Raises:
            DataError: If the values are no examination.
        """
        try:
            return TypeAdapter(cls).validate_python(dict(values))
        except ValidationError as error:
            raise DataError(
                "The file does not hold an examination.",
                hint="It may come from another version of fedscan: examine again.",
            ) from error


def write_examination(examination: Examination, folder: Path) -> Path:
    """Write an examination's record into its folder; return the file."""
    file = folder / FILE
    write_atomically(file, (json.dumps(examination.to_dict(), indent=2) + "\n").encode())
    return file


def read_examination(folder: Path) -> Examination:
    """Read the record in an examination's folder.

    Raises:
        DataError: If there is none, or it is damaged.
    """
    try:
        values = json.loads((folder / FILE).read_bytes())
    except (OSError, ValueError) as error:
        raise DataError(
            f"There is no examination in {folder}.", hint="`fedscan examine` makes one."
        ) from error
    return Examination.from_dict(values)
