"""Marks that say "synthetic": in the pixels and in the file."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray
from PIL import Image, ImageDraw, ImageFont, PngImagePlugin

from .. import __version__

#: The sentence that every synthetic image carries.
NOTICE = "SYNTHETIC, not for diagnosis"
_SYNTHETIC_COLOUR = (232, 119, 34)
_REAL_COLOUR = (110, 118, 129)
_EDGE = 3
_GAP = 4
_BAND = 18
_TILE = 128


def to_grey(image: NDArray[np.float32]) -> Image.Image:
    """Turn an image ``[H, W]`` in [-1, 1] into 8-bit grey."""
    levels = np.clip((image + 1.0) * 127.5, 0.0, 255.0)
    return Image.fromarray(np.rint(levels).astype(np.uint8))


def strip(
    images: NDArray[np.float32], *, label: str, synthetic: bool, columns: int = 0
) -> Image.Image:
    """Lay images side by side over a coloured band that says what they are.

    Args:
        images: ``[N, H, W]`` in [-1, 1], at least one.
        label: Text in the band.
        synthetic: Chooses the colour of band and edges, and adds the notice.
        columns: Images the strip has room for, at least; the room beyond ``N`` stays empty.
    """
    colour = _SYNTHETIC_COLOUR if synthetic else _REAL_COLOUR
    height, width = images.shape[1:]
    zoom = max(1, round(_TILE / max(height, width)))
    tile = (width * zoom, height * zoom)
    pitch = tile[0] + _GAP
    band = _EDGE + tile[1] + _EDGE
    room = max(len(images), columns) * pitch - _GAP + 2 * _EDGE
    sheet = Image.new("RGBA", (room, band + _BAND), colour)
    sheet.paste((0, 0, 0, 0), (len(images) * pitch - _GAP + 2 * _EDGE, 0, room, band))
    for column, image in enumerate(images):
        grey = to_grey(image).resize(tile, Image.Resampling.BICUBIC)
        sheet.paste(grey, (_EDGE + column * pitch, _EDGE))
    ImageDraw.Draw(sheet).text(
        (_EDGE + 3, band + 1),
        f"{label} · {NOTICE}" if synthetic else label,
        fill="black" if synthetic else "white",
        font=ImageFont.load_default(13),
    )
    return sheet


def png_text(texts: Mapping[str, str], *, synthetic: bool) -> PngImagePlugin.PngInfo:
    """Text chunks of a PNG file; a synthetic one says so."""
    chunks = PngImagePlugin.PngInfo()
    chunks.add_text("Software", f"fedscan {__version__}")
    if synthetic:
        chunks.add_text("Synthetic", "yes")
        chunks.add_text("Disclaimer", NOTICE)
    for name, text in texts.items():
        chunks.add_itxt(name, text)
    return chunks


class SyntheticPicture(Image.Image):
    """A picture that says in the files it is saved to that it is synthetic.

    What Pillow makes of it (a crop, another size) is a plain picture again.

    Attributes:
        texts: What its PNG files say besides, by keyword.
    """

    texts: Mapping[str, str]

    @classmethod
    def of(cls, image: NDArray[np.float32], texts: Mapping[str, str]) -> SyntheticPicture:
        """Make one of an image ``[H, W]`` in [-1, 1]."""
        picture = cls()
        picture.__setstate__(to_grey(image).__getstate__())
        picture.texts = dict(texts)
        picture.info["Disclaimer"] = NOTICE
        return picture

    def save(self, fp: Any, format: str | None = None, **params: Any) -> None:
        """Save as Pillow does, with the marks of PNG, and those of JPEG and GIF in a comment."""
        params.setdefault("pnginfo", png_text(self.texts, synthetic=True))
        params.setdefault("comment", NOTICE)
        super().save(fp, format, **params)


def stack(strips: Sequence[tuple[str, Image.Image]]) -> Image.Image:
    """Stack titled strips into one sheet, on white."""
    font = ImageFont.load_default(14)
    title = 24
    sheet = Image.new(
        "RGB",
        (max(image.width for _, image in strips), sum(image.height + title for _, image in strips)),
        "white",
    )
    top = 0
    for text, image in strips:
        ImageDraw.Draw(sheet).text((4, top + 3), text, fill="black", font=font)
        sheet.paste(image, (0, top + title), image)
        top += title + image.height
    return sheet
