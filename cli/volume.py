"""``fedscan volume``: a whole volume whose slices agree."""

from __future__ import annotations

from enum import StrEnum
from pathlib import Path
from typing import Annotated

import typer
from rich.text import Text

from ..common.counted import counted
from .console import output
from .images import open_for, show_notes, volume_document
from .json_output import print_json
from .options import AnywayOption, DeviceOption, GeneratorArgument, JsonOption, SigningKeyOption
from .progress import progress

_EPILOG = """\
Examples:

- `fedscan volume run --prompt "axial CT of the head, no finding"`

- `fedscan volume run --prompt "axial T1 of the head" --slices 40 --spacing 3 --format dicom`

- `fedscan volume run --prompt "axial CT of the chest" --given low.png@0.3 --given high.png@0.6`
completes the volume around two slices of one patient.
"""


class Form(StrEnum):
    """File formats of a volume."""

    nifti = "nifti"
    dicom = "dicom"


def register(app: typer.Typer) -> None:
    """Add the command to the application."""
    app.command("volume", epilog=_EPILOG)(volume)


def volume(
    model: GeneratorArgument,
    prompt: Annotated[
        str, typer.Option("--prompt", "-p", help="What to show: modality, plane, body part, …")
    ],
    out: Annotated[Path, typer.Option("--out", "-o", help="Folder for the volume.")] = Path(
        "volume"
    ),
    slices: Annotated[
        int | None, typer.Option(min=2, help="Number of slices; as many as the region holds.")
    ] = None,
    spacing: Annotated[float, typer.Option(min=0.1, help="Slice distance in mm.")] = 3.0,
    given_slices: Annotated[
        list[str] | None,
        typer.Option(
            "--given", help="Known slice of the patient, as PNG@POSITION (0 to 1). Repeatable."
        ),
    ] = None,
    correlation: Annotated[
        float,
        typer.Option(
            min=0.01, max=10, help="How far detail reaches along slices, as share of the region."
        ),
    ] = 0.06,
    guidance: Annotated[
        float, typer.Option(min=0, help="Classifier-free guidance scale; 1 is none.")
    ] = 1.5,
    steps: Annotated[
        int, typer.Option(min=1, help="Noise levels; each is a step in three planes.")
    ] = 8,
    seed: Annotated[int, typer.Option(min=0, help="The same seed gives the same volume.")] = 0,
    form: Annotated[Form, typer.Option("--format", help="NIfTI or a DICOM series.")] = Form.nifti,
    anyway: AnywayOption = False,
    device: DeviceOption = "auto",
    signing_key: SigningKeyOption = None,
    as_json: JsonOption = False,
) -> None:
    """Generate a volume: slices at any spacing, drawn in three planes together.

    CT comes out in Hounsfield units. Three views through the middle and a signed manifest lie
    beside it. With given slices the rest of that patient's volume is made to go with them.
    """
    from dataclasses import replace

    from ..applications.volume import VolumeRequest
    from ..applications.volume import volume as draw
    from ..imaging.reading.conditions import read_given
    from ..imaging.writing.images import VIEWS

    request = VolumeRequest(
        prompt=prompt,
        slices=slices,
        spacing_mm=spacing,
        correlation=correlation,
        guidance=guidance,
        steps=steps,
        seed=seed,
        form=form.value,
        anyway=anyway,
    )
    generator = open_for(out, model, device)
    request = replace(request, given_slices=read_given(given_slices or [], generator.image_size))
    notes = request.notes(generator)
    show_notes(notes)
    with progress() as report:
        result = draw(generator, request, progress=report)
    folder = result.write(out, signing_key=signing_key)
    if as_json:
        print_json(
            {
                **volume_document(folder),
                "generator": generator.digest,
                "seed": seed,
                "slices": len(result.values),
                "affine": result.affine.tolist(),
                "notes": notes,
            }
        )
        return
    count = len(result.values)
    output().print(Text(f"{counted(count, 'slice')} in {folder.files[0]}, views in {out / VIEWS}"))
