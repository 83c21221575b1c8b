"""Volumes in, surfaces out; what was marked as synthetic stays marked."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import numpy as np
import trimesh
from numpy.typing import NDArray

from ..inputs.nifti import load_nifti, values_of
from ..model.marking import NOTICE

#: Bytes of a binary STL file's free header.
_STL_HEADER = 80


@dataclass(frozen=True, eq=False, kw_only=True)
class NiftiVolume:
    """A volume from a file.

    Attributes:
        values: ``[I, J, K]``.
        affine: ``[4, 4]``, voxel indices to RAS+ mm.
        synthetic: Whether the file says that it was generated.
    """

    values: NDArray[np.float32]
    affine: NDArray[np.float64]
    synthetic: bool


def read_volume(path: Path) -> NiftiVolume:
    """Read a NIfTI file.

    Raises:
        DataError: If it is missing, no NIfTI file, or has not three dimensions.
    """
    image = load_nifti(path)
    marked = NOTICE.encode() in image.header["descrip"].tobytes()
    return NiftiVolume(
        values=np.nan_to_num(values_of(image)),
        affine=np.asarray(image.affine, float),
        synthetic=marked,
    )


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
