"""``fedscan mesh``: the surface of an organ or lesion as STL, OBJ or glTF."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer
from rich.text import Text

from .console import output
from .json_output import print_json
from .options import JsonOption

_EPILOG = """\
Examples:

- `fedscan mesh labels.nii.gz --label lesion --out lesion.stl`

- `fedscan mesh segmentation.dcm --label brain --out brain.obj`

- `fedscan mesh ct.nii.gz --above 300 --out bones.glb --preview bones.png`
"""


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
    as_json: JsonOption = False,
) -> None:
    """Make a closed, smooth surface in millimetres from a label map or a volume.

    Coordinates are those of NIfTI: to the right, to the front, to the head. The surface of a
    volume that fedscan generated says in its file that it is synthetic.
    """
    from ..applications.mesh import MeshRequest
    from ..applications.mesh import mesh as make_mesh

    request = MeshRequest(
        volume=volume,
        label=label,
        above=above,
        smoothing=smoothing,
        smallest_ml=smallest,
    )
    result = make_mesh(request)
    result.write(out)
    if preview is not None:
        result.preview(preview)
    if as_json:
        print_json(
            {
                "file": out,
                "triangles": result.triangles,
                "millilitres": result.millilitres,
                "closed": result.closed,
                "synthetic": result.synthetic,
            }
        )
        return
    output().print(
        Text(
            f"{out}: {result.triangles} triangles, {result.millilitres:.1f} ml, "
            f"{'closed' if result.closed else 'open'}"
        )
    )
