"""``fedscan enhance``: less noise, or finer pixels, with a generator as prior."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer
from rich.text import Text

from ..common.counted import counted
from .console import output, status
from .images import (
    ResultOption,
    ScanArgument,
    ScanFormOption,
    open_for,
    show_notes,
    volume_document,
)
from .json_output import print_json
from .options import DeviceOption, GeneratorArgument, JsonOption, SigningKeyOption
from .progress import progress

_EPILOG = """\
Examples:

- `fedscan enhance run low-dose.nii.gz --prompt "axial CT of the abdomen" --noise 40` takes away
noise of 40 HU.

- `fedscan enhance run film.png --prompt "chest X-ray" --out enhanced` finds out how strong the
noise is.

- `fedscan enhance run series --noise 0 --upscale 2` halves the pixels of a DICOM series.
"""


def register(app: typer.Typer) -> None:
    """Add the command to the application."""
    app.command("enhance", epilog=_EPILOG)(enhance)


def enhance(
    model: GeneratorArgument,
    scan: ScanArgument,
    out: ResultOption = Path("enhanced"),
    prompt: Annotated[
        str,
        typer.Option("--prompt", "-p", help="What the scan shows; DICOM files say it themselves."),
    ] = "",
    noise: Annotated[
        float | None,
        typer.Option(
            min=0,
            help="Standard deviation of the noise in the file's values (CT: HU); estimated if not "
            "given, 0 for none.",
        ),
    ] = None,
    upscale: Annotated[
        int, typer.Option(min=1, max=4, help="Fine pixels along the side of a given one.")
    ] = 1,
    position: Annotated[
        float, typer.Option(min=0, max=1, help="Slice position, as for `fedscan generate`.")
    ] = 0.5,
    seed: Annotated[int, typer.Option(min=0, help="Seed of the probe that weighs the prior.")] = 0,
    form: ScanFormOption = None,
    denoiser: Annotated[
        Path | None,
        typer.Option(help="Folder that `fedscan train-denoiser` wrote; the one that ships if not."),
    ] = None,
    device: DeviceOption = "auto",
    signing_key: SigningKeyOption = None,
    as_json: JsonOption = False,
) -> None:
    """Denoise a scan, or make its pixels finer; what was measured stays consistent.

    The result is computed, not measured: every file says that it is derived and synthetic, and
    carries nothing of the patient's identity. It lies where the scan lies. Images of any size are
    taken; those larger than the generator's go through it in overlapping windows.
    """
    from ..applications.enhance import EnhanceRequest
    from ..applications.enhance import enhance as improve
    from ..applications.prompts import notes

    request = EnhanceRequest(
        scan=scan,
        prompt=prompt,
        noise=noise,
        upscale=upscale,
        position=position,
        seed=seed,
        form=None if form is None else form.value,
        denoiser=denoiser,
    )
    generator = open_for(out, model, device)
    remarks = notes(generator, [prompt]) if prompt else []
    show_notes(remarks)
    with progress() as report:
        result = improve(generator, request, progress=report)
    status().print(Text(f"Noise {result.noise:.4g}{' (estimated)' if noise is None else ''}"))
    show_notes([result.warning])
    if result.prior_weight is not None:
        status().print(Text(f"Share of the generator's estimate: {result.prior_weight:.0%}"))
    folder = result.write(out, signing_key=signing_key)
    if as_json:
        print_json(
            {
                **volume_document(folder),
                "generator": generator.digest,
                "slices": len(result.values),
                "noise": result.noise,
                "prior_weight": result.prior_weight,
                "steps": result.steps,
                "notes": [*remarks, *filter(None, [result.warning])],
            }
        )
        return
    output().print(
        Text(
            f"{counted(len(result.values), 'slice')}, {' and '.join(result.steps)}, in "
            f"{folder.files[0]}"
        )
    )
