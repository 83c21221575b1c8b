"""Stored pixel values become physical or displayed ones: HU, windowed grey levels."""

from __future__ import annotations

from collections.abc import Generator, Iterator, Sequence
from pathlib import Path
from typing import Literal

import numpy as np
from numpy.typing import NDArray
from pydicom import Dataset
from pydicom.datadict import tag_for_keyword
from pydicom.filereader import read_file_meta_info
from pydicom.pixels import iter_pixels
from pydicom.pixels.processing import apply_color_lut, apply_modality_lut, apply_voi_lut
from pydicom.uid import (
    UID,
    DeflatedExplicitVRLittleEndian,
    JPEG2000TransferSyntaxes,
    JPEGLSTransferSyntaxes,
)

from .codes import COLOURS
from .decoding.strict_jpeg import strict_decoder
from .fields import first_number, first_text, integer
from .files.parsing import has_preamble, read_file
from .frames.functional_groups import flat_headers
from .set_aside import Reason, SetAsideError

Image = NDArray[np.float32]
#: What pixels stand for: the stored integers, physical values, or what a display would show.
Values = Literal["stored", "physical", "displayed"]

#: CT values are kept within what 12 bits and any scanner express.
HU_RANGE = (-1024.0, 3071.0)
_EXTRA_TAGS = [
    tag
    for keyword in (
        "Modality",
        "ModalityLUTSequence",
        "VOILUTSequence",
        "PixelPaddingValue",
        "PixelPaddingRangeLimit",
        "PerFrameFunctionalGroupsSequence",
        "SharedFunctionalGroupsSequence",
    )
    if (tag := tag_for_keyword(keyword)) is not None
]
#: Files up to this size are read at once: for small ones that is twice as quick.
_READ_WHOLE_BYTES = 32 * 2**20
_LUMINANCE = np.array([0.299, 0.587, 0.114])  # ITU-R BT.601


def read_frames(path: Path, frames: Sequence[int], values: Values) -> Generator[Image, None, None]:
    """Decode frames of one file, in ascending order.

    Compressed files are to be read through ``codecs.safe_frames``, which survives the codecs.

    Args:
        path: The file.
        frames: Ascending frame numbers from 0.
        values: "displayed" applies the VOI LUT or window, "physical" does not, and "stored"
            leaves the pixels as they are.

    Yields:
        One float32 array ``[rows, columns]`` per frame: HU for CT, else grey levels of which
        larger ones are brighter (MONOCHROME1 is inverted), unless "stored" was asked for.

    Raises:
        SetAsideError: If the pixels cannot be decoded.
    """
    header = Dataset()
    views: list[Dataset] = []
    try:
        for position, raw in enumerate(_stored(path, frames, header)):
            if not position:  # the header is there once the first frame is decoded
                views = _views(header, frames)
            yield _values(raw, views[position], values)
    except SetAsideError:
        raise
    except Exception:
        # Codecs raise nearly any type on damaged streams; see header.read_header.
        raise SetAsideError(Reason.BROKEN) from None


def _stored(path: Path, frames: Sequence[int], header: Dataset) -> Iterator[NDArray[np.generic]]:
    """Decode frames, without loading the others of a long file; fill ``header`` on the way."""
    if path.stat().st_size > _READ_WHOLE_BYTES and has_preamble(path):
        syntax = UID(str(read_file_meta_info(path).get("TransferSyntaxUID", "")))
        # Compressed as a whole, no frame can be sought in a file.
        if syntax != DeflatedExplicitVRLittleEndian:
            yield from iter_pixels(
                path,
                ds_out=header,
                specific_tags=_EXTRA_TAGS,
                indices=frames,
                # Padding may be told by bits that no value uses.
                correct_unused_bits=False,
                decoding_plugin=strict_decoder(syntax),
            )
            return
    ds = read_file(path)
    header.update(ds)
    header.file_meta = ds.file_meta
    yield from iter_pixels(
        ds,
        indices=frames,
        correct_unused_bits=False,
        decoding_plugin=strict_decoder(UID(str(ds.file_meta.get("TransferSyntaxUID", "")))),
    )


def _views(header: Dataset, frames: Sequence[int]) -> list[Dataset]:
    """Return one flat header per wanted frame."""
    flat = flat_headers(header)
    if flat is None:
        return [header] * len(frames)
    numbers = set(frames)
    views = [view for number, view in enumerate(flat) if number in numbers]
    for view in views:
        view.file_meta = header.file_meta
    return views


def _values(raw: NDArray[np.generic], ds: Dataset, kind: Values) -> Image:
    padding = _padding(raw, ds)
    raw = _used_bits(raw, ds)
    if kind == "stored":
        return raw.astype(np.float32)
    photometric = first_text(ds, "PhotometricInterpretation").upper()
    if photometric in COLOURS:
        return _luminance(raw, ds)
    if raw.ndim != 2:
        raise SetAsideError(Reason.PHOTOMETRIC)
    padding |= _padding(raw, ds)
    values = np.asarray(apply_modality_lut(raw, ds), np.float64)
    if first_text(ds, "Modality").upper() == "CT":
        # HU mean the same whichever way a display shows them: no inversion here.
        values[padding] = HU_RANGE[0]
        return np.clip(values, *HU_RANGE).astype(np.float32)
    if kind == "displayed":
        values = _windowed(values, ds)
    if photometric == "MONOCHROME1":
        values = -values
    if padding.any() and not padding.all():
        values[padding] = values[~padding].min()
    return values.astype(np.float32)


def _used_bits(raw: NDArray[np.generic], ds: Dataset) -> NDArray[np.generic]:
    """Clear the bits beyond BitsStored, or repeat the sign in them (PS3.5 section 8.1.1)."""
    syntax = getattr(ds, "file_meta", {}).get("TransferSyntaxUID")
    if syntax in JPEG2000TransferSyntaxes + JPEGLSTransferSyntaxes:
        return raw  # their decoders give values and no bits
    container_bits = 8 * raw.dtype.itemsize
    bits = integer(ds, "BitsStored")
    if raw.dtype.kind not in "iu" or not 0 < bits < container_bits == integer(ds, "BitsAllocated"):
        return raw
    shift = container_bits - bits
    return np.right_shift(np.left_shift(raw, shift), shift)


def _padding(raw: NDArray[np.generic], ds: Dataset) -> NDArray[np.bool_]:
    """Mark pixels outside the field of view (PS3.3 C.7.5.1.1.2).

    Files give the value with or without a sign, whatever the pixels have: -2000 and 63536 are
    the same 16 bits. So they are compared as bits.
    """
    value = first_number(ds, "PixelPaddingValue")
    if value is None or raw.ndim != 2:
        return np.zeros(raw.shape[:2], np.bool_)
    limit = first_number(ds, "PixelPaddingRangeLimit")
    low, high = sorted((value, value if limit is None else limit))
    if raw.dtype.kind not in "iu":
        levels = raw.astype(np.float64)
        return np.asarray((levels >= low) & (levels <= high))
    largest = 2 ** (8 * raw.dtype.itemsize) - 1
    return np.asarray((raw.astype(np.int64) - int(low)) & largest <= min(high - low, largest))


def _windowed(values: NDArray[np.float64], ds: Dataset) -> NDArray[np.float64]:
    indices = values
    if "VOILUTSequence" in ds:
        indices = np.rint(values).astype(np.int32)
    try:
        return np.asarray(apply_voi_lut(indices, ds), np.float64)
    except (ValueError, TypeError, AttributeError, KeyError, IndexError):
        return values  # a window is a display hint: a malformed one is no reason to lose the image


def _luminance(raw: NDArray[np.generic], ds: Dataset) -> Image:
    """Reduce a colour image to its luminance; pydicom has turned YBR into RGB already."""
    if first_text(ds, "PhotometricInterpretation").upper() == "PALETTE COLOR":
        raw = apply_color_lut(raw, ds)
    if raw.ndim != 3 or raw.shape[-1] < 3:
        raise SetAsideError(Reason.PHOTOMETRIC)
    return (raw[..., :3].astype(np.float64) @ _LUMINANCE).astype(np.float32)
