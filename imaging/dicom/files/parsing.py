"""Bytes to DICOM elements: files with and without the preamble, up to the pixels or whole."""

from __future__ import annotations

import os
import struct
from collections.abc import Sequence
from pathlib import Path
from typing import BinaryIO

from pydicom import FileDataset, dcmread
from pydicom.dataset import Dataset, FileMetaDataset
from pydicom.errors import InvalidDicomError
from pydicom.filereader import read_partial
from pydicom.uid import (
    UID,
    DeflatedExplicitVRLittleEndian,
    ExplicitVRBigEndian,
    ExplicitVRLittleEndian,
    ImplicitVRLittleEndian,
)

from ..fields import integer
from ..set_aside import Reason, SetAsideError

_PIXEL_TAGS = frozenset((0x7FE00008, 0x7FE00009, 0x7FE00010))  # float, double, integer pixels
_UNDEFINED_LENGTH = 0xFFFFFFFF
#: Where the prefix "DICM" stands in a file that follows PS3.10.
_PREFIX_AT = 128


def parse_header(file: BinaryIO, tags: Sequence[int]) -> Dataset:
    """Parse some elements up to the pixels, and check that the pixels are there in full.

    Args:
        file: Opened at its start.
        tags: The elements to read.

    Raises:
        InvalidDicomError: If this is no DICOM file, with or without a preamble.
        SetAsideError: If it has no pixels, or not all of them.
    """
    lengths: list[int] = []

    def at_pixels(tag: int, _vr: str | None, length: int) -> bool:
        if tag in _PIXEL_TAGS:
            lengths.append(length)
        return tag in _PIXEL_TAGS

    bare = _is_bare(file)
    ds = read_partial(file, stop_when=at_pixels, specific_tags=list(tags), force=bare)
    if bare:
        _state_encoding(ds)
    if not lengths or not integer(ds, "Rows"):
        raise SetAsideError(Reason.NO_PIXELS)
    # Deflated files are parsed from memory, so there is no place in the file to compare.
    syntax = ds.file_meta.get("TransferSyntaxUID")
    has_length = lengths[0] != _UNDEFINED_LENGTH and syntax != DeflatedExplicitVRLittleEndian
    # The parser stops in front of the pixel element, whose own header has 8 bytes or more.
    if has_length and (
        file.tell() + 8 + lengths[0] > os.fstat(file.fileno()).st_size
        or lengths[0] < _least_length(ds)
    ):
        raise SetAsideError(Reason.BROKEN)
    return ds


def read_file(path: Path, *, stop_before_pixels: bool = False) -> FileDataset:
    """Read a whole DICOM file, with or without a preamble.

    Raises:
        InvalidDicomError: If it is none. Damaged bytes raise nearly anything.
    """
    with path.open("rb") as file:
        bare = _is_bare(file)
    ds = dcmread(path, force=bare, stop_before_pixels=stop_before_pixels)
    if bare:
        _state_encoding(ds)
    return ds


def has_preamble(path: Path) -> bool:
    """Whether a file begins as PS3.10 wants it; others are read by :func:`read_file` only."""
    with path.open("rb") as file:
        return not _is_bare(file)


def _is_bare(file: BinaryIO) -> bool:
    """Whether a file starts at once with DICOM elements, as older archives and scanners write it.

    Raises:
        InvalidDicomError: If it starts with neither a preamble nor an element.
    """
    start = file.read(_PREFIX_AT + 4)
    file.seek(0)
    if start[_PREFIX_AT:] == b"DICM":
        return False
    if len(start) < _PREFIX_AT or not any(_is_element(start, order) for order in "<>"):
        raise InvalidDicomError
    return True


def _is_element(start: bytes, order: str) -> bool:
    """Whether bytes can be the first element of a file: group 2 or 8, and a length that fits."""
    group, element = struct.unpack_from(f"{order}HH", start)
    if group not in (0x0002, 0x0008) or element > 0x0100:
        return False
    if start[4:6].isalpha() and start[4:6].isupper():  # the value representation is explicit
        length = struct.unpack_from(f"{order}H", start, 6)[0]
    else:
        length = struct.unpack_from(f"{order}I", start, 4)[0]
    return bool(length <= 1024)


def _state_encoding(ds: FileDataset) -> None:
    """Name the transfer syntax of a file without one: the parser found out how it is written."""
    if getattr(ds, "file_meta", None) is None:
        ds.file_meta = FileMetaDataset()
    if "TransferSyntaxUID" not in ds.file_meta:
        is_implicit, is_little_endian = ds.original_encoding
        syntax: UID = ExplicitVRLittleEndian if is_little_endian else ExplicitVRBigEndian
        ds.file_meta.TransferSyntaxUID = ImplicitVRLittleEndian if is_implicit else syntax


def _least_length(ds: Dataset) -> int:
    """Bytes that uncompressed pixels need at least (subsampled colour needs two thirds)."""
    samples = integer(ds, "Rows") * integer(ds, "Columns") * integer(ds, "SamplesPerPixel", 1)
    bits = samples * max(1, integer(ds, "NumberOfFrames", 1)) * integer(ds, "BitsAllocated")
    return bits * 2 // 24 if integer(ds, "SamplesPerPixel", 1) == 3 else bits // 8
