"""``fedscan generate``: images from a trained generator."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer
from rich.text import Text

from ..common.counted import counted
from .console import output, status
from .images import ImageForm, open_for, show_notes
from .json_output import print_json
from .options import AnywayOption, DeviceOption, GeneratorArgument, JsonOption, SigningKeyOption
from .progress import progress

_EPILOG = """\
Examples:

- `fedscan generate run --prompt "axial CT slice of the head, lesion" -n 8`

- `fedscan generate run --prompt "chest X-ray, PA view, no finding" --prompt "chest X-ray, PA
view, pneumonia" --seed 3 --out pictures`

- `fedscan generate run --prompt "chest X-ray, PA view" --size 256` draws finer pixels with the
same weights.

- `fedscan generate run --prompt "axial CT slice of the head" --mask labels.png --position 0.6`

- `fedscan generate run --prompt "axial CT slice of the head" --reject-implausible run/examination`

- `fedscan generate run --prompt "coronal CT slice of the head" --mask labels.nii.gz
--partial scan.nii.gz --partial-strength 0.5 --position 0.4` cuts both volumes at the same place.

- `fedscan generate run --prompt "axial CT of a healthy brain, Hounsfield units" --format dicom`
"""


def register(app: typer.Typer) -> None:
    """Add the command to the application."""
    app.command("generate", epilog=_EPILOG)(generate)


def generate(
    model: GeneratorArgument,
    prompts: Annotated[
        list[str],
        typer.Option("--prompt", "-p", help="What to show, in your own words. Repeatable."),
    ],
    out: Annotated[Path, typer.Option("--out", "-o", help="Folder for the images.")] = Path(
        "generated"
    ),
    count: Annotated[int, typer.Option("-n", min=1, help="Images per prompt.")] = 4,
    size: Annotated[
        int | None,
        typer.Option(
            min=8,
            help="Pixels along a side, a multiple of 8; the generator's own by default. What is "
            "more than twice that is drawn smaller and given finer pixels.",
        ),
    ] = None,
    seed: Annotated[int, typer.Option(min=0, help="The same seed gives the same images.")] = 0,
    position: Annotated[
        float,
        typer.Option(
            min=0, max=1, help="Slice position: 0 inferior, right or posterior; 1 opposite."
        ),
    ] = 0.5,
    mask: Annotated[
        Path | None,
        typer.Option(
            help="Label numbers that the anatomy shall follow: PNG, NIfTI or DICOM segmentation."
        ),
    ] = None,
    edges: Annotated[
        Path | None,
        typer.Option(help="White edges that the image shall follow: PNG or NIfTI."),
    ] = None,
    partial: Annotated[
        Path | None,
        typer.Option(
            help="Image to complete: PNG (transparent is free), NIfTI (NaN is free) or DICOM "
            "series; what lies outside a volume is free."
        ),
    ] = None,
    mask_strength: Annotated[
        float, typer.Option(min=0, max=2, help="How much the mask counts; 1 as in training.")
    ] = 1.0,
    edges_strength: Annotated[
        float, typer.Option(min=0, max=2, help="How much the edges count.")
    ] = 1.0,
    partial_strength: Annotated[
        float, typer.Option(min=0, max=2, help="How much the partial image counts.")
    ] = 1.0,
    guidance: Annotated[
        float, typer.Option(min=0, help="Classifier-free guidance scale; 1 is none.")
    ] = 2.0,
    steps: Annotated[int, typer.Option(min=1, help="Denoising steps.")] = 12,
    batch: Annotated[int, typer.Option(min=1, help="Images computed at once.")] = 32,
    form: Annotated[
        ImageForm,
        typer.Option("--format", help="PNG, or NIfTI or DICOM with CT in Hounsfield units."),
    ] = ImageForm.png,
    reject_implausible: Annotated[
        Path | None,
        typer.Option(
            help="Folder of an examination: draw again what its plausibility model rejects.",
            metavar="EXAMINATION",
        ),
    ] = None,
    anyway: AnywayOption = False,
    device: DeviceOption = "auto",
    signing_key: SigningKeyOption = None,
    as_json: JsonOption = False,
) -> None:
    """Generate images for prompts and conditions, with a contact sheet and a signed manifest.

    A prompt is read for what it asks: modality, plane or view, body part, finding, contrast,
    sex, age, size and unit. The command says what it understood and what it cannot honour.
    Every file says that it is synthetic, its prompt, its seed and the generator's digest;
    `fedscan verify` checks a folder against its manifest.
    """
    from ..applications.generate import GenerateRequest
    from ..applications.generate import generate as draw
    from ..imaging.reading.conditions import Strengths

    request = GenerateRequest(
        prompts=tuple(prompts),
        count=count,
        size=size,
        seed=seed,
        position=position,
        mask=mask,
        edges=edges,
        partial=partial,
        strengths=Strengths(mask=mask_strength, edges=edges_strength, partial=partial_strength),
        guidance=guidance,
        steps=steps,
        batch=batch,
        form=form.value,
        anyway=anyway,
        reject_implausible=reject_implausible,
    )
    generator = open_for(out, model, device)
    notes = request.notes(generator)
    show_notes(notes)
    with progress() as report:
        images = draw(generator, request, progress=report)
    if images.rejections is not None:
        status().print(Text(f"{images.rejections} implausible images were drawn again"))
    folder = images.write(out, signing_key=signing_key)
    if as_json:
        print_json(
            {
                "folder": out,
                "files": folder.files,
                "signer": folder.signer,
                "generator": images.generator,
                "seed": seed,
                "size": images.images.shape[-1],
                "captions": request.captions(generator),
                "notes": notes,
                "rejected": images.rejections,
            }
        )
        return
    output().print(
        Text(
            f"{counted(len(folder.files), 'image')} and a contact sheet in {out}, "
            f"signed by {folder.signer[:16]}"
        )
    )
