"""Generated images as PNG files that say what they are, and one sheet of them all."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from PIL import Image, ImageDraw, ImageFont
from PIL.PngImagePlugin import PngInfo

#: Words in every file that fedscan generates.
WARNING = "synthetic, not for diagnosis"
_LABEL_HEIGHT = 16


def to_grey(image: NDArray[np.float32]) -> NDArray[np.uint8]:
    """Turn an image ``[H, W]`` in [-1, 1] into grey values 0 to 255; outliers are clamped."""
    scaled: NDArray[np.uint8] = np.rint((np.clip(image, -1, 1) + 1) * 127.5).astype(np.uint8)
    return scaled


def save_png(path: Path, image: NDArray[np.float32], marks: dict[str, str]) -> None:
    """Write one image as an 8-bit PNG whose text metadata marks it as synthetic.

    Args:
        path: File to write.
        image: ``[H, W]`` in [-1, 1].
        marks: Further text entries, such as prompt and seed.
    """
    Image.fromarray(to_grey(image)).save(path, pnginfo=_metadata(marks))


def save_sheet(path: Path, rows: Sequence[tuple[str, NDArray[np.float32]]], title: str) -> None:
    """Write a contact sheet: for each prompt its text and below it its images in one row.

    Args:
        path: PNG file to write.
        rows: ``(prompt, images [N, H, W] in [-1, 1])`` per row.
        title: Line at the top, beside the warning.
    """
    font = ImageFont.load_default(11)
    height, width = rows[0][1].shape[1:]
    columns = max(len(images) for _, images in rows)
    sheet_width = max(columns * (width + 2), 320)
    line = height + 2 + _LABEL_HEIGHT
    sheet = Image.new("L", (sheet_width, _LABEL_HEIGHT + line * len(rows)), 0)
    draw = ImageDraw.Draw(sheet)
    draw.text((2, 2), f"{WARNING}; {title}", 255, font)
    for row, (prompt, images) in enumerate(rows):
        top = _LABEL_HEIGHT + row * line
        draw.text((2, top + 2), prompt, 200, font)
        for column, image in enumerate(images):
            box = (column * (width + 2), top + _LABEL_HEIGHT)
            sheet.paste(Image.fromarray(to_grey(image)), box)
    sheet.save(path, pnginfo=_metadata({"Title": title}))


def _metadata(marks: dict[str, str]) -> PngInfo:
    info = PngInfo()
    for key, text in {"Software": "fedscan", "Warning": WARNING, **marks}.items():
        info.add_itxt(key, text)
    return info
