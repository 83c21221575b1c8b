"""``fedscan volume``: a whole volume whose slices agree."""

from __future__ import annotations

from enum import StrEnum
from pathlib import Path
from typing import Annotated

import typer
from rich.text import Text

from .console import output, status
from .options import SigningKeyOption, signing_key_from
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
    model: Annotated[
        Path, typer.Argument(help="Generator folder, or the folder of a run that holds one.")
    ],
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
    given: Annotated[
        list[str] | None,
        typer.Option(help="Known slice of the patient, as PNG@POSITION (0 to 1). Repeatable."),
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
    signing_key: SigningKeyOption = None,
) -> None:
    """Generate a volume: slices at any spacing, drawn in three planes together.

    CT comes out in Hounsfield units. Three views through the middle and a signed manifest lie
    beside it. With given slices the rest of that patient's volume is made to go with them.
    """
    from ..errors import ConfigurationError
    from ..imaging.reading.conditions import read_given
    from ..imaging.writing.images import VIEWS, require_unused
    from ..imaging.writing.provenance import Provenance
    from ..imaging.writing.volumes import write_volume
    from ..model.prompt import read_prompt
    from ..model.region import extent_mm
    from ..model.storage import generator_digest, load_generator
    from ..model.volumes.draw import VolumeSettings, sample_volume
    from .options import find_generator

    require_unused(out)
    reading = read_prompt(prompt)
    shown = reading.description
    if shown is None or not shown.plane:
        raise ConfigurationError(
            f"{prompt!r} does not say of which modality and plane the slices are.",
            hint='Write, for example, "axial CT of the head".',
        )
    region = extent_mm(shown.body_part, shown.plane)
    count = slices or max(2, int(region // spacing))
    if count * spacing > region:
        raise ConfigurationError(
            f"{count} slices at {spacing:g} mm cover {count * spacing:g} mm, but the "
            f"{shown.body_part} counts as {region:g} mm ({shown.plane}).",
            hint=f"Ask for {int(region // spacing)} slices at most, or less spacing.",
        )
    positions = [0.5 + (index - (count - 1) / 2) * spacing / region for index in range(count)]
    folder = find_generator(model)
    generator = load_generator(folder)
    known = read_given(given or [], generator.image_size)
    key = signing_key_from(signing_key)
    for line in reading.shortcomings(generator.image_size):
        status().print(Text(f"Not honoured: {line}"))
    settings = VolumeSettings(
        correlation=correlation, guidance_scale=guidance, steps=steps, seed=seed
    )
    with progress() as report:
        images = sample_volume(
            generator,
            shown,
            positions,
            settings,
            given=known,
            on_step=lambda done: report("steps", done, steps),
        )
    written = write_volume(
        out,
        images,
        form.value,
        shown,
        Provenance(
            prompt=prompt,
            caption=shown.caption(),
            seed=seed,
            index=0,
            generator=generator_digest(folder),
        ),
        slice_mm=spacing,
        key=key,
    )
    output().print(Text(f"{count} slices in {written}, views in {out / VIEWS}"))
