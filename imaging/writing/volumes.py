"""A generated volume into a folder: NIfTI or a DICOM series, three views, a signed manifest."""

from __future__ import annotations

from pathlib import Path
from typing import Literal

import numpy as np
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from numpy.typing import NDArray

from ...common.files import filling
from ...model.description import Description
from ...model.integrity.finite import require_finite
from ...model.marking import png_text, strip, to_grey
from .dicom import write_dicom_series
from .images import VIEWS, require_unused
from .manifest import NAME, write_manifest
from .nifti import write_nifti
from .provenance import Provenance
from .space import SliceGrid, grid_for
from .views import orthogonal_views

VolumeFormat = Literal["png", "nifti", "dicom"]


def write_volume(
    folder: Path,
    slices: NDArray[np.float32],
    form: VolumeFormat,
    description: Description | None,
    provenance: Provenance,
    *,
    slice_mm: float,
    grid: SliceGrid | None = None,
    limits: tuple[float, float] = (-1.0, 1.0),
    key: Ed25519PrivateKey,
) -> Path:
    """Write one volume.

    Args:
        folder: Made where it is missing.
        slices: ``[S, H, W]`` in [-1, 1], in the order of their positions.
        form: ``nifti`` (one file), or ``dicom`` or ``png`` (a file for each slice).
        description: What it shows; ``None`` if unknown, but a DICOM file has to say.
        provenance: Where it comes from.
        slice_mm: Distance of neighbouring slices.
        grid: Where they lie; in the middle of their body part where nothing else is known.
        limits: What -1 and 1 are in a NIfTI file of what has no unit.
        key: Signs the manifest.

    Returns:
        The volume's file, or the folder of its series.

    Raises:
        DataError: If the folder holds something generated.
        ModelError: If a value is not finite: nothing is written then.
    """
    require_unused(folder)
    require_finite(slices, "The volume is not written")
    shape = (slices.shape[0], slices.shape[1], slices.shape[2])
    part, plane = (description.body_part, description.plane) if description else ("body", "")
    grid = grid or grid_for(part, plane, shape, slice_mm)
    with filling(folder, last=NAME) as work:
        name = _write_all(work, slices, form, description, provenance, grid, limits, key)
    return folder / name


def _write_all(
    folder: Path,
    slices: NDArray[np.float32],
    form: VolumeFormat,
    description: Description | None,
    provenance: Provenance,
    grid: SliceGrid,
    limits: tuple[float, float],
    key: Ed25519PrivateKey,
) -> str:
    """Write everything; return where the volume is within the folder."""
    facts = provenance.facts()
    marks = png_text(
        {"Description": provenance.prompt, "Seed": str(provenance.seed)}, synthetic=True
    )
    if form == "nifti":
        volume = folder / "volume.nii.gz"
        write_nifti(volume, slices, grid, description, provenance, limits=limits)
        files = [volume]
    elif form == "png" or description is None:
        volume = folder
        files = [folder / f"slice-{number:03}.png" for number in range(1, len(slices) + 1)]
        for file, image in zip(files, slices, strict=True):
            to_grey(image).save(file, pnginfo=marks)
    else:
        volume = folder / "series"
        volume.mkdir(exist_ok=True)
        files = write_dicom_series(volume, slices, grid, description, provenance, number=1)
    label = f"{provenance.derivation or provenance.caption}, seed {provenance.seed}"
    if len(slices) > 1:
        views = orthogonal_views(slices, grid.spacing_mm[1], grid.slice_mm, label=label)
    else:
        views = strip(slices, label=label, synthetic=True)
    views.convert("RGB").save(folder / VIEWS, pnginfo=marks)
    write_manifest(
        folder,
        [(file, facts) for file in [*files, folder / VIEWS]],
        generator=provenance.generator,
        key=key,
    )
    return volume.relative_to(folder).as_posix()
