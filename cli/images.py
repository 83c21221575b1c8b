"""What the commands that make images have in common: options, the way in, and what they say."""

from __future__ import annotations

from collections.abc import Iterable
from enum import StrEnum
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer
from rich.text import Text

from .console import status

if TYPE_CHECKING:
    from ..applications.generator import LoadedGenerator
    from ..applications.results import WrittenFolder


class ImageForm(StrEnum):
    """File formats of images."""

    png = "png"
    nifti = "nifti"
    dicom = "dicom"


ScanArgument = Annotated[
    Path, typer.Argument(help="PNG, NIfTI file, DICOM file, or folder of a DICOM series.")
]
ResultOption = Annotated[Path, typer.Option("--out", "-o", help="Folder for the result.")]
ScanFormOption = Annotated[
    ImageForm | None, typer.Option("--format", help="PNG, NIfTI or DICOM; as given by default.")
]


def require_new(out: Path) -> None:
    """Refuse a folder that holds generated images, before anything is opened or computed.

    Raises:
        DataError: If it does, or is no folder.
    """
    from ..imaging.writing.images import require_unused

    require_unused(out)


def open_for(out: Path, model: Path, device: str) -> LoadedGenerator:
    """Open a generator whose images shall lie in a folder that holds none yet.

    Raises:
        ConfigurationError: If there is no such device.
        DataError: If the folder holds some already, or is no folder.
        ModelError: If there is no generator, or it is damaged.
    """
    from ..applications.generator import load_generator

    require_new(out)
    return load_generator(model, device)


def show_notes(notes: Iterable[str]) -> None:
    """Say on standard error what a person should know of a result; empty notes are left out."""
    for note in filter(None, notes):
        status().print(Text(note))


def volume_document(folder: WrittenFolder) -> dict[str, Any]:
    """Return the keys that every document about a written volume begins with."""
    return {"folder": folder.folder, "file": folder.files[0], "signer": folder.signer}
