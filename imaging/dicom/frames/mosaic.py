"""Mosaics: all slices of a moment as tiles of one picture, as Siemens writes them.

Their tiles are not cut out: where each of them lies stands in a private header only. So a mosaic
is set aside, whether it says what it is or not.
"""

from __future__ import annotations

from pydicom import Dataset

from ..fields import numbers, texts, values

#: Siemens' private element with the number of slices in a mosaic, and who it belongs to.
_TILES, _TILES_CREATOR = 0x0019100A, 0x00190010
TOLD_MOSAIC_BY_TAGS = (_TILES_CREATOR, _TILES)
#: Header keywords that a mosaic is told by, besides its size.
TOLD_MOSAIC_BY = ("AcquisitionMatrix", "FrameType", "ImageType")
#: No magnet is wide enough for a picture of this size in both directions, mm.
_WIDEST_MM = 600.0


def is_mosaic(
    ds: Dataset, shape: tuple[int, int], spacing: tuple[float, float], *, enhanced: bool
) -> bool:
    """Tell whether an MR picture consists of tiles.

    Args:
        ds: Its flat header.
        shape: Rows and columns.
        spacing: Distance between rows and between columns, mm.
        enhanced: Whether it is a frame with functional groups. Those hold one slice each, even
            where their type still says "MOSAIC" of how they were acquired.
    """
    if min(shape[0] * spacing[0], shape[1] * spacing[1]) > _WIDEST_MM:
        return True
    if enhanced:
        return False
    says_so = any(kind.upper() == "MOSAIC" for kind in texts(ds, "ImageType"))
    return (says_so or _tiles(ds) > 1) and not _is_one_slice(ds, shape)


def _tiles(ds: Dataset) -> int:
    creator = ds.get(_TILES_CREATOR)
    if creator is None or not str(creator.value).upper().startswith("SIEMENS"):
        return 0
    element = ds.get(_TILES)
    value = None if element is None else element.value
    if isinstance(value, bytes):  # where the value representation is not stored
        return int.from_bytes(value[:2], "little")
    return value if isinstance(value, int) else 0


def _is_one_slice(ds: Dataset, shape: tuple[int, int]) -> bool:
    """Whether the picture is no larger than what was acquired of one slice."""
    matrix = numbers(ds, "AcquisitionMatrix", len(values(ds, "AcquisitionMatrix")))
    return bool(matrix) and max(shape) <= max(matrix or (0.0,))
