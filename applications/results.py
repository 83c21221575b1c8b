"""What an application hands back: arrays that know where they lie, and how to be written."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Literal

import numpy as np
from numpy.typing import NDArray

from ..common.signing import fingerprint
from ..imaging.writing.provenance import Provenance
from ..imaging.writing.space import SliceGrid, grid_for
from ..imaging.writing.volumes import write_volume
from ..model.description import Description
from ..model.integrity.finite import require_finite
from ..model.intensity import model_to_hounsfield
from .signing import own_signing_key

Form = Literal["png", "nifti", "dicom"]

_NOT_FINITE_HINT = "Use other steps or less guidance; else the generator or the scan is damaged."


@dataclass(frozen=True, kw_only=True)
class WrittenFolder:
    """A folder of generated files, each marked as synthetic, with a signed manifest.

    Attributes:
        folder: The folder.
        files: The images; of a volume its file, or the folder of its series.
        signer: Fingerprint of the key that signed the manifest.
    """

    folder: Path
    files: tuple[Path, ...]
    signer: str


@dataclass(frozen=True, eq=False, kw_only=True)
class ComputedVolume:
    """Slices that were computed.

    Attributes:
        values: ``[S, H, W]`` in [-1, 1], the generator's range.
        description: What they show; ``None`` if unknown.
        grid: Where they lie.
        limits: What -1 and 1 are in the given file's values, where there is no unit.
        provenance: Where they come from: every file says so.
        form: Format that they are written in.

    Raises:
        ModelError: If a value is not finite.
    """

    values: NDArray[np.float32]
    description: Description | None
    grid: SliceGrid
    limits: tuple[float, float] = (-1.0, 1.0)
    provenance: Provenance
    form: Form

    def __post_init__(self) -> None:
        require_finite(self.values, "The slices cannot be used", _NOT_FINITE_HINT)

    @property
    def hounsfield(self) -> NDArray[np.float32] | None:
        """The same in Hounsfield units, ``[S, H, W]``; ``None`` for what is no CT."""
        return in_hounsfield(self.values, self.description)

    @property
    def affine(self) -> NDArray[np.float64]:
        """Affine ``[4, 4]`` from indices (slice, row, column) to RAS+ mm, as MONAI has it."""
        return index_affine(self.grid)

    def write(self, out: Path, *, signing_key: Path | None = None) -> WrittenFolder:
        """Write the volume, three views and the signed manifest, as the command does.

        Args:
            out: Folder that holds nothing generated; made where it is missing.
            signing_key: Ed25519 key that signs; the user's own if none is given.

        Raises:
            DataError: If the folder holds something generated.
        """
        key = own_signing_key(signing_key)
        file = write_volume(
            out,
            self.values,
            self.form,
            self.description,
            self.provenance,
            slice_mm=self.grid.slice_mm,
            grid=self.grid,
            limits=self.limits,
            key=key,
        )
        return WrittenFolder(folder=out, files=(file,), signer=fingerprint(key.public_key()))


def in_hounsfield(
    values: NDArray[np.float32], description: Description | None
) -> NDArray[np.float32] | None:
    """Return values in [-1, 1] in Hounsfield units, or ``None`` where they are no CT's."""
    if description is None or description.modality != "CT":
        return None
    return model_to_hounsfield(values)


def index_affine(grid: SliceGrid) -> NDArray[np.float64]:
    """Return the affine ``[4, 4]`` from indices (slice, row, column) to RAS+ mm."""
    return np.asarray(grid.affine()[:, [2, 1, 0, 3]])


def usual_grid(
    description: Description | None, shape: tuple[int, int, int], slice_mm: float
) -> SliceGrid:
    """Return where slices lie of which nothing else is known: in the middle of their body part."""
    part, plane = (description.body_part, description.plane) if description else ("body", "")
    return grid_for(part, plane, shape, slice_mm)
