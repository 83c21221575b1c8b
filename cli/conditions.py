"""Spatial conditions from picture files: a mask, edges, or a partly known image."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from PIL import Image, UnidentifiedImageError

from ..errors import DataError
from ..model.conditions import LABEL, spatial_conditions


def load_conditions(
    size: int, *, mask: Path | None = None, edges: Path | None = None, partial: Path | None = None
) -> NDArray[np.float32] | None:
    """Read the given pictures, scaled to the generator's image size.

    Args:
        size: Height and width in pixels.
        mask: Grey or palette picture whose values are label numbers.
        edges: Grey picture; white is an edge.
        partial: Picture whose opaque pixels are kept and whose transparent ones are free.

    Returns:
        Stack ``[SPATIAL_CHANNELS, size, size]``, or ``None`` without any picture.

    Raises:
        DataError: If a file is no picture, a label is unknown, or nothing is transparent.
    """
    if mask is None and edges is None and partial is None:
        return None
    known_image, known = _read_partial(partial, size) if partial else (None, None)
    return spatial_conditions(
        (size, size),
        mask=_read_mask(mask, size) if mask else None,
        edges=_read_edges(edges, size) if edges else None,
        partial=known_image,
        known=known,
    )


def read_given(slices: Sequence[str], size: int) -> dict[float, NDArray[np.float32]]:
    """Read known slices of a volume, each as ``PNG@POSITION``.

    Returns:
        Pictures ``[size, size]`` in [-1, 1] by position.

    Raises:
        DataError: If a file is no picture, or a position is not in [0, 1].
    """
    known = {}
    for text in slices:
        name, _, where = text.rpartition("@")
        try:
            position = float(where)
        except ValueError:
            position = -1.0
        if not name or not 0.0 <= position <= 1.0:
            raise DataError(
                f"{text!r} does not say where the slice lies.",
                hint="Write FILE@POSITION, such as slice.png@0.4; 0 is the lower end, 1 the upper.",
            )
        picture = _open(Path(name)).convert("L").resize((size, size), Image.Resampling.BILINEAR)
        known[position] = np.asarray(picture, np.float32) / np.float32(127.5) - np.float32(1)
    return known


def _open(path: Path) -> Image.Image:
    try:
        with Image.open(path) as picture:
            picture.load()
            return picture
    except FileNotFoundError as error:
        raise DataError(f"There is no picture {path}.") from error
    except (UnidentifiedImageError, OSError) as error:
        raise DataError(f"{path} is not a picture.", hint="Use a PNG file.") from error


def _read_mask(path: Path, size: int) -> NDArray[np.uint8]:
    picture = _open(path)
    if picture.mode not in ("L", "P", "1"):
        raise DataError(
            f"The mask {path} has mode {picture.mode}; its pixels must be label numbers.",
            hint="Save it as 8-bit grey or palette PNG: " + _legend(),
        )
    labels = np.asarray(picture.resize((size, size), Image.Resampling.NEAREST), np.uint8)
    if labels.max() > len(LABEL):
        raise DataError(
            f"The mask {path} has the label {labels.max()}, which does not exist.",
            hint="Labels are " + _legend(),
        )
    return labels


def _legend() -> str:
    return ", ".join(["0 background", *(f"{value} {name}" for name, value in LABEL.items())]) + "."


def _read_edges(path: Path, size: int) -> NDArray[np.float32]:
    picture = _open(path).convert("L").resize((size, size), Image.Resampling.BILINEAR)
    edges: NDArray[np.float32] = np.asarray(picture, np.float32) / np.float32(255)
    return edges


def _read_partial(path: Path, size: int) -> tuple[NDArray[np.float32], NDArray[np.bool_]]:
    picture = _open(path).convert("LA").resize((size, size), Image.Resampling.BILINEAR)
    grey, alpha = (np.asarray(band) for band in picture.split())
    known = alpha >= 128
    if known.all():
        raise DataError(
            f"No pixel of {path} is transparent, so nothing is left to generate.",
            hint="Make the part that shall be generated transparent.",
        )
    return grey.astype(np.float32) / np.float32(127.5) - np.float32(1), known
