"""A generated volume into a folder: NIfTI or a DICOM series, three views, a signed manifest."""

from __future__ import annotations

from pathlib import Path
from typing import Literal

import numpy as np
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from numpy.typing import NDArray
from pydicom.uid import generate_uid

from ..model.description import Description
from ..model.marking import png_text
from .dicom import write_dicom_series
from .folder import VIEWS, require_unused
from .manifest import write_manifest
from .nifti import write_nifti
from .provenance import Provenance
from .space import grid_for
from .views import orthogonal_views

VolumeFormat = Literal["nifti", "dicom"]


def write_volume(
    folder: Path,
    slices: NDArray[np.float32],
    form: VolumeFormat,
    description: Description,
    provenance: Provenance,
    *,
    slice_mm: float,
    key: Ed25519PrivateKey,
) -> Path:
    """Write one volume.

    Args:
        folder: Made where it is missing.
        slices: ``[S, H, W]`` in [-1, 1], in the order of their positions.
        form: ``nifti`` (one file) or ``dicom`` (a file for each slice).
        description: What it shows.
        provenance: Where it comes from.
        slice_mm: Distance of neighbouring slices.
        key: Signs the manifest.

    Returns:
        The volume's file, or the folder of its series.

    Raises:
        DataError: If the folder holds something generated.
    """
    require_unused(folder)
    shape = (slices.shape[0], slices.shape[1], slices.shape[2])
    grid = grid_for(description.body_part, description.plane, shape, slice_mm)
    folder.mkdir(parents=True, exist_ok=True)
    if form == "nifti":
        volume = folder / "volume.nii.gz"
        write_nifti(volume, slices, grid, description, provenance)
        files = [volume]
    else:
        volume = folder / "series"
        volume.mkdir(exist_ok=True)
        files = write_dicom_series(
            volume, slices, grid, description, provenance, study_uid=generate_uid(), number=1
        )
    facts = provenance.facts()
    marks = png_text(
        {"Description": provenance.prompt, "Seed": str(provenance.seed)}, synthetic=True
    )
    views = orthogonal_views(
        slices, grid.pixel_mm, grid.slice_mm, label=f"{provenance.caption}, seed {provenance.seed}"
    )
    views.convert("RGB").save(folder / VIEWS, pnginfo=marks)
    write_manifest(
        folder,
        [(file, facts) for file in [*files, folder / VIEWS]],
        generator=provenance.generator,
        key=key,
    )
    return volume
