"""Generated images as NIfTI-1, marked in the header and in an extension."""

from __future__ import annotations

import json
from pathlib import Path

import nibabel
import numpy as np
from numpy.typing import NDArray

from ...model.description import Description
from ...model.intensity import model_to_hounsfield
from ...model.marking import NOTICE
from .provenance import Provenance
from .space import SliceGrid

#: The header's code of a comment extension (nifti1.h, NIFTI_ECODE_COMMENT).
_COMMENT = 6


def write_nifti(
    path: Path,
    slices: NDArray[np.float32],
    grid: SliceGrid,
    description: Description | None,
    provenance: Provenance,
    *,
    limits: tuple[float, float] = (-1.0, 1.0),
) -> None:
    """Write one image or volume; CT in Hounsfield units, everything else between limits.

    Args:
        path: The new file, ``.nii`` or ``.nii.gz``.
        slices: ``[S, H, W]`` in [-1, 1].
        grid: Where they lie.
        description: What they show; ``None`` if unknown.
        provenance: Where they come from; stands in the file as JSON.
        limits: What -1 and 1 are written as where there is no unit.
    """
    low, high = limits
    values = (slices + 1.0) / 2.0 * (high - low) + low
    if description is not None and description.modality == "CT":
        values = model_to_hounsfield(slices)
    image = nibabel.Nifti1Image(values.transpose(2, 1, 0).astype(np.float32), grid.affine())
    image.header.set_xyzt_units("mm")
    image.header["descrip"] = NOTICE.encode()
    comment = json.dumps(provenance.facts(), sort_keys=True).encode()
    image.header.extensions.append(nibabel.nifti1.Nifti1Extension(_COMMENT, comment))
    nibabel.save(image, path)
