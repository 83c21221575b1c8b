"""Volumes in, surfaces out; what was marked as synthetic stays marked."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import numpy as np
import trimesh
from numpy.typing import NDArray

from ...errors import DataError
from ...imaging.orientation import lps_to_ras
from ...imaging.reading.nifti import load_nifti, values_of
from ...imaging.reading.scan_files import read_scan, read_segments
from ...model.marking import NOTICE

#: Bytes of a binary STL file's free header.
_STL_HEADER = 80


@dataclass(frozen=True, eq=False, kw_only=True)
class Volume:
    """A volume from a file.

    Attributes:
        values: By three indices, in the file's order; NaN where there is none.
        affine: ``[4, 4]``, voxel indices to RAS+ mm.
        synthetic: Whether the file says that it was generated.
    """

    values: NDArray[np.float32]
    affine: NDArray[np.float64]
    synthetic: bool


def read_volume(path: Path, *, labels: bool) -> Volume:
    """Read a volume or a label map.

    Args:
        path: A NIfTI file, or DICOM: a segmentation where labels are asked for, else a folder
            with a series.
        labels: Whether it holds labels.

    Raises:
        DataError: If it is missing, neither of these, or no volume.
    """
    if not path.name.lower().endswith((".nii", ".nii.gz")) and path.exists():
        return _read_dicom(path, labels)
    image = load_nifti(path)
    has_notice = NOTICE.encode() in image.header["descrip"].tobytes()
    return Volume(
        values=values_of(image),
        affine=np.asarray(image.affine, float),
        synthetic=has_notice,
    )


def _read_dicom(path: Path, labels: bool) -> Volume:
    if labels:
        values, to_lps = read_segments(path)
        return Volume(values=values.astype(np.float32), affine=lps_to_ras(to_lps), synthetic=False)
    scan = read_scan(path)
    if scan.to_lps is None or len(scan.values) < 2:
        raise DataError(
            f"{path} is not a volume: surfaces need slices that say where they lie.",
            hint="Give a NIfTI file, or the folder of a DICOM series.",
        )
    return Volume(values=scan.values, affine=lps_to_ras(scan.to_lps), synthetic=scan.synthetic)


def write_surface(mesh: trimesh.Trimesh, path: Path, *, synthetic: bool) -> None:
    """Write a surface in the format of the file's ending.

    Args:
        mesh: The surface in mm.
        path: ``.stl`` (binary), ``.obj`` or ``.glb``.
        synthetic: Whether the file shall say so.
    """
    note = NOTICE if synthetic else "fedscan surface, mm"
    kind = path.suffix.lower().lstrip(".")
    if kind == "stl":
        content = mesh.export(file_type="stl")
        content = note.encode().ljust(_STL_HEADER, b" ") + content[_STL_HEADER:]
    elif kind == "obj":
        content = f"# {note}\n{mesh.export(file_type='obj')}".encode()
    else:
        mesh.metadata["note"] = note  # becomes glTF's "extras" of the mesh
        content = mesh.export(file_type="glb")
    path.write_bytes(content)
