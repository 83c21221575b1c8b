"""``fedscan mesh``: the surface of an organ or lesion as STL, OBJ or glTF."""

from __future__ import annotations

from importlib.util import find_spec
from pathlib import Path
from typing import Annotated

import typer
from rich.text import Text

from .console import output

_EPILOG = """\
Examples:

- `fedscan mesh labels.nii.gz --label lesion --out lesion.stl`

- `fedscan mesh segmentation.dcm --label brain --out brain.obj`

- `fedscan mesh ct.nii.gz --above 300 --out bones.glb --preview bones.png`
"""
_SUFFIXES = (".stl", ".obj", ".glb")


def register(app: typer.Typer) -> None:
    """Add the command to the application."""
    app.command("mesh", epilog=_EPILOG)(mesh)


def mesh(
    volume: Annotated[
        Path, typer.Argument(help="NIfTI file, folder of a DICOM series, or DICOM segmentation.")
    ],
    out: Annotated[Path, typer.Option("--out", "-o", help="File to write: .stl, .obj or .glb.")],
    label: Annotated[
        str, typer.Option(help="Label to take from a label map: a number, or a name as in masks.")
    ] = "",
    above: Annotated[
        float | None, typer.Option(help="Level in a volume, such as 300 for bone in CT (HU).")
    ] = None,
    smoothing: Annotated[int, typer.Option(min=0, help="Rounds of smoothing.")] = 10,
    smallest: Annotated[
        float, typer.Option(min=0, help="Pieces of less than this many millilitres are left out.")
    ] = 0.05,
    preview: Annotated[
        Path | None, typer.Option(help="PNG with the surface from front, left and above.")
    ] = None,
) -> None:
    """Make a closed, smooth surface in millimetres from a label map or a volume.

    Coordinates are those of NIfTI: to the right, to the front, to the head. The surface of a
    volume that fedscan generated says in its file that it is synthetic.
    """
    from ..errors import ConfigurationError

    if find_spec("trimesh") is None:
        raise ConfigurationError(
            "Surfaces need the package trimesh.",
            hint="Install it with pip install 'fedscan[mesh]'.",
        )
    from ..applications.surfaces.extract import SurfaceSettings, surface_above, surface_of_labels
    from ..applications.surfaces.files import read_volume, write_surface
    from ..applications.surfaces.preview import save_preview

    if out.suffix.lower() not in _SUFFIXES:
        raise ConfigurationError(
            f"{out} has an unknown ending.", hint=f"Use one of {', '.join(_SUFFIXES)}."
        )
    if bool(label) == (above is not None):
        raise ConfigurationError(
            "Give either --label, for a label map, or --above, for a volume.",
        )
    read = read_volume(volume, labels=above is None)
    settings = SurfaceSettings(smoothing=smoothing, smallest_ml=smallest)
    if above is None:
        surface = surface_of_labels(read.values == _label_number(label), read.affine, settings)
    else:
        surface = surface_above(read.values, above, read.affine, settings)
    write_surface(surface, out, synthetic=read.synthetic)
    if preview is not None:
        save_preview(surface, str(preview), synthetic=read.synthetic)
    output().print(
        Text(
            f"{out}: {len(surface.faces)} triangles, {abs(surface.volume) / 1000:.1f} ml, "
            f"{'closed' if surface.is_watertight else 'open'}"
        )
    )


def _label_number(label: str) -> int:
    from ..errors import ConfigurationError
    from ..model.conditions import LABEL

    if label.isdigit():
        return int(label)
    if label not in LABEL:
        raise ConfigurationError(
            f"There is no label {label!r}.", hint=f"Use a number or {', '.join(LABEL)}."
        )
    return LABEL[label]
