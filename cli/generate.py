"""``fedscan generate``: images from a trained generator."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer
from rich.text import Text

from .console import output
from .progress import progress

_EPILOG = """\
Examples:

- `fedscan generate run --prompt "axial CT slice of the head, lesion" -n 8`

- `fedscan generate run --prompt "chest X-ray, PA view, no finding" --prompt "chest X-ray, PA
view, pneumonia" --seed 3 --out pictures`

- `fedscan generate run --prompt "axial CT slice of the head" --mask labels.png --position 0.6`
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
    from ..model.marking import png_text, stack, strip, to_grey
    from ..model.sampling import sample
    from ..model.storage import generator_digest, load_generator
    from .conditions import load_conditions
    from .models import find_generator

    names = [f"{row:02}-{column:03}.png" for row in range(len(prompts)) for column in range(count)]
    sheet = out / "contact-sheet.png"
    if sheet.exists() or any((out / name).exists() for name in names):
        raise DataError(f"{out} already holds generated images.", hint="Choose another --out.")
    folder = find_generator(model)
    generator = load_generator(folder)
    spatial = load_conditions(generator.image_size, mask=mask, edges=edges, partial=partial)
    total = len(names)
    with progress() as report:
        images = sample(
            generator,
            [prompt for prompt in prompts for _ in range(count)],
            positions=[position] * total,
            spatial=None if spatial is None else np.repeat(spatial[None], total, axis=0),
            guidance_scale=guidance,
            steps=steps,
            seed=seed,
            batch_size=batch,
            on_batch=lambda done: report("images", done, total),
        )
    out.mkdir(parents=True, exist_ok=True)
    facts = {"Seed": str(seed), "Generator": generator_digest(folder)}
    strips = []
    for row, prompt in enumerate(prompts):
        start = row * count
        for index in range(start, start + count):
            texts = {"Description": prompt, "Index": str(index), **facts}
            # The pixels stay untouched, for use as data; the mark is in the file's text.
            marks = png_text(texts, synthetic=True)
            to_grey(images[index]).save(out / names[index], pnginfo=marks)
        label = f"seed {seed}"
        strips.append((prompt, strip(images[start : start + count], label=label, synthetic=True)))
    stack(strips).save(sheet, pnginfo=png_text(facts, synthetic=True))
    output().print(Text(f"{total} images and {sheet.name} in {out}"))
