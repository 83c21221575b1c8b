"""``fedscan generate``: images from a trained generator."""

from __future__ import annotations

from collections.abc import Sequence
from enum import StrEnum
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer
from rich.text import Text

from .console import output, status
from .options import SigningKeyOption, signing_key_from
from .progress import progress

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

_EPILOG = """\
Examples:

- `fedscan generate run --prompt "axial CT slice of the head, lesion" -n 8`

- `fedscan generate run --prompt "chest X-ray, PA view, no finding" --prompt "chest X-ray, PA
view, pneumonia" --seed 3 --out pictures`

- `fedscan generate run --prompt "axial CT slice of the head" --mask labels.png --position 0.6`

- `fedscan generate run --prompt "axial CT slice of the head" --reject-implausible run/examination`

- `fedscan generate run --prompt "coronal CT slice of the head" --mask labels.nii.gz
--partial scan.nii.gz --partial-strength 0.5 --position 0.4` cuts both volumes at the same place.

- `fedscan generate run --prompt "axial CT of a healthy brain, Hounsfield units" --format dicom`
"""


class Format(StrEnum):
    """File formats of generated images."""

    png = "png"
    nifti = "nifti"
    dicom = "dicom"


def register(app: typer.Typer) -> None:
    """Add the command to the application."""
    app.command("generate", epilog=_EPILOG)(generate)


def generate(
    model: Annotated[
        Path, typer.Argument(help="Generator folder, or the folder of a run that holds one.")
    ],
    prompts: Annotated[
        list[str],
        typer.Option("--prompt", "-p", help="What to show, in your own words. Repeatable."),
    ],
    out: Annotated[Path, typer.Option("--out", "-o", help="Folder for the images.")] = Path(
        "generated"
    ),
    count: Annotated[int, typer.Option("-n", min=1, help="Images per prompt.")] = 4,
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
    steps: Annotated[int, typer.Option(min=1, help="Denoising steps.")] = 10,
    batch: Annotated[int, typer.Option(min=1, help="Images computed at once.")] = 32,
    form: Annotated[
        Format, typer.Option("--format", help="PNG, or NIfTI or DICOM with CT in Hounsfield units.")
    ] = Format.png,
    reject_implausible: Annotated[
        Path | None,
        typer.Option(
            help="Folder of an examination: draw again what its plausibility model rejects.",
            metavar="EXAMINATION",
        ),
    ] = None,
    signing_key: SigningKeyOption = None,
) -> None:
    """Generate images for prompts and conditions, with a contact sheet and a signed manifest.

    A prompt is read for what it asks: modality, plane or view, body part, finding, contrast,
    sex, age, size and unit. The command says what it understood and what it cannot honour.
    Every file says that it is synthetic, its prompt, its seed and the generator's digest;
    `fedscan verify` checks a folder against its manifest.
    """
    import numpy as np

    from ..common.signing import fingerprint
    from ..evaluation.anatomy.plausibility import PlausibilityModel
    from ..evaluation.anatomy.rejection import draw_plausible, seed_of_try
    from ..imaging.reading.conditions import SliceAsked, Strengths, load_conditions
    from ..imaging.writing.images import PromptImages, require_unused, write_images
    from ..imaging.writing.space import SliceGrid
    from ..model.prompt import read_prompt
    from ..model.sampling import sample
    from ..model.storage import generator_digest, load_generator
    from .options import find_generator

    require_unused(out)
    key = signing_key_from(signing_key)
    folder = find_generator(model)
    generator = load_generator(folder)
    readings = [read_prompt(prompt) for prompt in prompts]
    captions = [
        reading.description.caption() if reading.description else prompt
        for prompt, reading in zip(prompts, readings, strict=True)
    ]
    for prompt, caption, reading in zip(prompts, captions, readings, strict=True):
        if caption != prompt:
            status().print(Text(f"{prompt!r} is read as {caption!r}"))
        if reading.description is None:
            status().print(Text(f"{prompt!r} names no modality: given to the generator as it is"))
        for line in reading.shortcomings(generator.image_size):
            status().print(Text(f"Not honoured: {line}"))
    conditions = [
        load_conditions(
            generator.image_size,
            mask=mask,
            edges=edges,
            partial=partial,
            asked=SliceAsked(description=reading.description, position=position),
            strengths=Strengths(mask=mask_strength, edges=edges_strength, partial=partial_strength),
        )
        for reading in readings
    ]
    stacks = [each.stack for each in conditions if each is not None for _ in range(count)]
    total = count * len(prompts)
    wanted = [caption for caption in captions for _ in range(count)]
    with progress() as report:

        def draw(indices: Sequence[int], attempt: int) -> NDArray[np.float32]:
            return sample(
                generator,
                [wanted[index] for index in indices],
                positions=[position] * len(indices),
                spatial=np.stack([stacks[index] for index in indices]) if stacks else None,
                guidance_scale=guidance,
                steps=steps,
                seed=seed_of_try(seed, attempt),
                batch_size=batch,
                on_batch=lambda done: report("images", done, len(indices)),
            )

        if reject_implausible is None:
            images = draw(range(total), 0)
        else:
            kept = draw_plausible(
                draw,
                PlausibilityModel.load(reject_implausible),
                [reading.description for reading in readings for _ in range(count)],
                [position] * total,
            )
            images = kept.images
            status().print(Text(f"{kept.rejected} implausible images were drawn again"))
    files = write_images(
        out,
        [
            PromptImages(
                prompt=prompt,
                caption=caption,
                description=reading.description,
                images=images[row * count : (row + 1) * count],
                grid=SliceGrid(to_lps=placed.to_lps)
                if placed is not None and placed.to_lps is not None
                else None,
            )
            for row, (prompt, caption, reading, placed) in enumerate(
                zip(prompts, captions, readings, conditions, strict=True)
            )
        ],
        form.value,
        seed=seed,
        generator=generator_digest(folder),
        key=key,
    )
    signer = fingerprint(key.public_key())[:16]
    output().print(Text(f"{len(files)} images and a contact sheet in {out}, signed by {signer}"))
