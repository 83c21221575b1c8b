"""Pictures of what was asked for, drawn and found."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from ...model.conditions import MASK_CLASSES
from ...model.marking import png_text, stack, strip
from ..section import Figure


def draw_followed(
    folder: Path,
    *,
    masks_given: NDArray[np.uint8],
    images: NDArray[np.float32],
    masks_found: NDArray[np.uint8],
    name: str,
) -> Figure:
    """Draw masks over the images made from them and the masks found in those."""
    file = "anatomy-masks.png"
    title = f"{name}: the mask given, the image drawn from it, the mask found in that"
    rows = [
        ("", strip(_grey(masks_given), label="mask given, of a held-out patient", synthetic=False)),
        ("", strip(images, label=name, synthetic=True)),
        ("", strip(_grey(masks_found), label="mask found", synthetic=True)),
    ]
    stack(rows).save(folder / file, pnginfo=png_text({"Description": title}, synthetic=True))
    return Figure(title=f"{title}; worst on the left, best on the right", file=file)


def draw_implausible(
    folder: Path, *, images: NDArray[np.float32], captions: Sequence[str], name: str
) -> Figure:
    """Draw the images whose anatomy is furthest from the population."""
    file = "anatomy-least-plausible.png"
    title = f"{name}: the least plausible of all images drawn, the worst first"
    texts = {"Description": title, "Prompts": "\n".join(captions)}
    strip(images, label=name, synthetic=True).save(
        folder / file, pnginfo=png_text(texts, synthetic=True)
    )
    return Figure(title=title, file=file)


def _grey(masks: NDArray[np.uint8]) -> NDArray[np.float32]:
    """Labels as levels of grey, background black."""
    return masks.astype(np.float32) * np.float32(2 / len(MASK_CLASSES)) - np.float32(1)
