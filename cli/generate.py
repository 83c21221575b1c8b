"""``fedscan generate``: images from a trained generator."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer
from rich.text import Text

from .console import output

_EPILOG = """\
Examples:

  fedscan generate run --prompt "axial CT slice of the head, lesion" -n 8

  fedscan generate run --prompt "chest X-ray, PA view, no finding" --prompt "chest X-ray,
  PA view, pneumonia" --seed 3 --out pictures

  fedscan generate run --prompt "axial CT slice of the head" --mask labels.png --position 0.6
"""


def register(app: typer.Typer) -> None:
    """Add the command to the application."""
    app.command("generate", epilog=_EPILOG)(generate)


def generate(
    model: Annotated[
        Path, typer.Argument(help="Generator folder, or the folder of a run that holds one.")
    ],
    prompts: Annotated[
        list[str],
        typer.Option("--prompt", "-p", help="What to show, in the words of captions. Repeatable."),
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
        Path | None, typer.Option(help="PNG of label numbers that the anatomy shall follow.")
    ] = None,
    edges: Annotated[
        Path | None, typer.Option(help="PNG with white edges that the image shall follow.")
    ] = None,
    partial: Annotated[
        Path | None, typer.Option(help="PNG whose transparent part shall be filled in.")
    ] = None,
    guidance: Annotated[
        float, typer.Option(min=0, help="Classifier-free guidance scale; 1 is none.")
    ] = 2.0,
    steps: Annotated[int, typer.Option(min=1, help="Denoising steps.")] = 10,
    batch: Annotated[int, typer.Option(min=1, help="Images computed at once.")] = 32,
) -> None:
    """Generate images for prompts and conditions, and one contact sheet of them.

    Every PNG carries in its text metadata that it is synthetic, its prompt, its seed and the
    generator's digest.
    """
    import numpy as np

    from ..errors import DataError
    from ..model.generator import load_generator
    from ..model.sampling import sample
    from .conditions import load_conditions
    from .models import find_generator, generator_digest
    from .pictures import save_png, save_sheet

    names = [f"{row:02}-{column:03}.png" for row in range(len(prompts)) for column in range(count)]
    sheet = out / "contact-sheet.png"
    if sheet.exists() or any((out / name).exists() for name in names):
        raise DataError(f"{out} already holds generated images.", hint="Choose another --out.")
    folder = find_generator(model)
    generator = load_generator(folder)
    spatial = load_conditions(generator.image_size, mask=mask, edges=edges, partial=partial)
    total = len(names)
    images = sample(
        generator,
        [prompt for prompt in prompts for _ in range(count)],
        positions=np.full(total, position, np.float32),
        spatial=None if spatial is None else np.repeat(spatial[None], total, axis=0),
        guidance_scale=guidance,
        steps=steps,
        seed=seed,
        batch_size=batch,
    )
    out.mkdir(parents=True, exist_ok=True)
    digest = generator_digest(folder)
    marks = {"Seed": str(seed), "Generator": digest}
    for index, (name, image) in enumerate(zip(names, images, strict=True)):
        extra = {"Prompt": prompts[index // count], "Index": str(index), **marks}
        save_png(out / name, image, extra)
    rows = [(prompt, images[i * count : (i + 1) * count]) for i, prompt in enumerate(prompts)]
    save_sheet(sheet, rows, f"seed {seed}, generator {digest[:12]}")
    output().print(Text(f"{total} images and {sheet.name} in {out}"))
