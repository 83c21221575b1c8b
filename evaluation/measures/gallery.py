"""The gallery: real and synthetic images of the same prompts, as PNG files."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from ...errors import ConfigurationError
from ...model.marking import NOTICE, png_text, stack, strip
from .image_sets import ImageSet
from .prompts import PromptPlan, topic
from .results import GalleryGroup, GalleryStrip

REAL = "real"
TRAINING = "training"


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
        captions = plan.gallery_prompts.captions[part]
        title = topic(holdout.descriptions[row[0]]).caption()
        strips: list[tuple[GalleryStrip, Image.Image]] = []
        if show_real:
            images = holdout.images[list(row)]
            strips.append(_draw(f"{number:02d}", REAL, "real, held-out patients", images, columns))
        for name, pictures in synthetic.items():
            strips.append(
                _draw(f"{number:02d}", name, name, pictures[part], columns, synthetic=True)
            )
        _save(folder, strips, title, captions)
        for name, sheet in sheets.items():
            rows = [image for entry, image in strips if entry.source in (REAL, name)]
            sheet += zip([title] + [""] * len(rows), rows, strict=False)
        groups.append(_group(title, captions, strips))
    for name, sheet in sheets.items():
        texts = {"Description": f"Contact sheet of {name}. {NOTICE}.", "Source": name}
        stack(sheet).save(
            folder / f"contact-sheet-{_slug(name)}.png", pnginfo=png_text(texts, synthetic=True)
        )
    return tuple(groups)


def write_closest(
    folder: Path,
    name: str,
    captions: Sequence[str],
    synthetic: NDArray[np.float32],
    training: NDArray[np.float32],
) -> GalleryGroup:
    """Write a generator's images that come closest to training images, and those images.

    Args:
        folder: Where the PNG files go; made if missing.
        name: The generator's name.
        captions: The prompts of the synthetic images.
        synthetic: ``[N, H, W]`` in [-1, 1].
        training: For each of them its nearest training image, ``[N, H, W]``.
    """
    folder.mkdir(parents=True, exist_ok=True)
    file = f"closest-{_slug(name)}"
    strips = [
        _draw(file, name, name, synthetic, len(synthetic), synthetic=True),
        _draw(file, TRAINING, "real, nearest training image", training, len(training)),
    ]
    title = f"{name}: closest to training images"
    _save(folder, strips, title, captions)
    return _group(title, tuple(captions), strips)


def _draw(
    file: str,
    source: str,
    label: str,
    images: NDArray[np.float32],
    columns: int,
    *,
    synthetic: bool = False,
) -> tuple[GalleryStrip, Image.Image]:
    entry = GalleryStrip(source=source, file=f"{file}-{_slug(source)}.png", synthetic=synthetic)
    return entry, strip(images, label=label, synthetic=synthetic, columns=columns)


def _save(
    folder: Path,
    strips: Sequence[tuple[GalleryStrip, Image.Image]],
    title: str,
    captions: Sequence[str],
) -> None:
    for entry, image in strips:
        texts = {"Description": title, "Source": entry.source, "Prompts": "\n".join(captions)}
        image.save(folder / entry.file, pnginfo=png_text(texts, synthetic=entry.synthetic))


def _group(
    title: str, captions: tuple[str, ...], strips: Sequence[tuple[GalleryStrip, Image.Image]]
) -> GalleryGroup:
    return GalleryGroup(title=title, captions=captions, strips=tuple(entry for entry, _ in strips))


def check_names(names: Collection[str]) -> None:
    """Check that generators' files do not overwrite each other's or those of real images.

    Raises:
        ConfigurationError: If two names, or a name and that of real images, are alike.
    """
    slugs = [_slug(name) for name in (REAL, TRAINING, *names)]
    if len(set(slugs)) < len(slugs):
        raise ConfigurationError(
            f"The generators' names {', '.join(map(repr, names))} cannot be told apart.",
            hint=f"They must differ in letters or digits, also from {REAL!r} and {TRAINING!r}.",
        )


def _slug(name: str) -> str:
    return "".join(letter if letter.isalnum() else "-" for letter in name.lower())
