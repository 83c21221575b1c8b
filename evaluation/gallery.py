"""The gallery: real and synthetic images of the same prompts, as PNG files."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from .marking import NOTICE, png_text, stack, strip
from .prompts import PromptPlan, topic
from .real_sets import ImageSet
from .results import GalleryGroup, GalleryStrip

REAL = "real"


def write_gallery(
    folder: Path,
    plan: PromptPlan,
    holdout: ImageSet,
    synthetic: Mapping[str, NDArray[np.float32]],
    *,
    show_real: bool,
) -> tuple[GalleryGroup, ...]:
    """Write one strip per prompt and source, and one contact sheet per generator.

    Args:
        folder: Where the PNG files go; made if missing.
        plan: Says which held-out images stand in which row.
        holdout: The held-out images.
        synthetic: Per generator the images ``[G, H, W]`` of ``plan.gallery_prompts``.
        show_real: Whether real images are written at all.

    Returns:
        The rows, for :class:`EvaluationResult`.
    """
    folder.mkdir(parents=True, exist_ok=True)
    groups = []
    columns = max(len(row) for row in plan.gallery)
    sheets: dict[str, list[tuple[str, Image.Image]]] = {name: [] for name in synthetic}
    start = 0
    for number, row in enumerate(plan.gallery, start=1):
        part = slice(start, start + len(row))
        start += len(row)
        prompts = plan.gallery_prompts.captions[part]
        title = topic(holdout.descriptions[row[0]]).caption()
        strips = []
        sources: dict[str, NDArray[np.float32]] = {
            name: images[part] for name, images in synthetic.items()
        }
        if show_real:
            sources = {REAL: holdout.images[list(row)], **sources}
        drawn = {}
        for name, images in sources.items():
            made = name in synthetic
            drawn[name] = strip(
                images,
                label=name if made else "real, held-out patients",
                synthetic=made,
                columns=columns,
            )
            file = f"{number:02d}-{_slug(name)}.png"
            texts = {"Description": title, "Source": name, "Prompts": "\n".join(prompts)}
            drawn[name].save(folder / file, pnginfo=png_text(texts, synthetic=made))
            strips.append(GalleryStrip(source=name, file=file, synthetic=made))
        for name, sheet in sheets.items():
            for source in (REAL, name):
                if source in drawn:
                    sheet.append((title if source == REAL or not show_real else "", drawn[source]))
        groups.append(GalleryGroup(title=title, captions=prompts, strips=tuple(strips)))
    for name, sheet in sheets.items():
        texts = {"Description": f"Contact sheet of {name}. {NOTICE}.", "Source": name}
        stack(sheet).save(
            folder / f"contact-sheet-{_slug(name)}.png", pnginfo=png_text(texts, synthetic=True)
        )
    return tuple(groups)


def _slug(name: str) -> str:
    return "".join(letter if letter.isalnum() else "-" for letter in name.lower())
