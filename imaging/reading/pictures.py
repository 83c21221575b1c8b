"""Pictures from files, or one sentence that says what is wrong with them."""

from __future__ import annotations

import re
import struct
import warnings
from pathlib import Path

from PIL import Image, UnidentifiedImageError

from ...errors import DataError

#: A JPEG's frame header, with the bits of a sample: all kinds of frames, no table and no restart.
_JPEG_FRAME = re.compile(rb"\xff[\xc0-\xc3\xc5-\xc7\xc9-\xcb\xcd-\xcf]..(.)", re.DOTALL)


def open_picture(path: Path) -> Image.Image:
    """Read a picture as a whole.

    Raises:
        DataError: If it is missing, is none, is damaged, or is a JPEG of more than 8 bits.
    """
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # of metadata that nobody looks at
            with Image.open(path) as picture:
                picture.load()
                return picture
    except FileNotFoundError as error:
        raise DataError(f"There is no picture {path}.") from error
    except UnidentifiedImageError as error:
        if (bits := _jpeg_bits(path)) > 8:
            raise DataError(
                f"{path} is a JPEG of {bits} bits a sample, which is read in DICOM only.",
                hint="Save it as a PNG of 16 bits.",
            ) from error
        raise DataError(f"{path} is not a picture.", hint="Use a PNG file.") from error
    except (
        OSError,
        SyntaxError,
        ValueError,
        EOFError,
        struct.error,
        Image.DecompressionBombError,
    ) as error:
        raise DataError(
            f"{path} is not a picture, or is damaged.", hint="Use a PNG file."
        ) from error


def _jpeg_bits(path: Path) -> int:
    """Bits of a sample of a JPEG file; 0 if it is none."""
    with path.open("rb") as file:
        start = file.read(1 << 16)
    frame = _JPEG_FRAME.search(start) if start.startswith(b"\xff\xd8") else None
    return frame[1][0] if frame else 0
