"""A decoder of pydicom that refuses damaged JPEG streams, where others decode half of them.

The module has the form of pydicom's decoding plug-ins.
"""

from __future__ import annotations

from typing import cast

import jpeg_ls
from pydicom.pixels import get_decoder
from pydicom.pixels.decoders.base import DecodeRunner
from pydicom.uid import (
    UID,
    JPEGBaseline8Bit,
    JPEGExtended12Bit,
    JPEGLossless,
    JPEGLosslessSV1,
    JPEGLSLossless,
    JPEGLSNearLossless,
)
from pylibjpeg.utils import Decoder, get_pixel_data_decoders

from .jpeg_stream import require_end, require_whole

_JPEG = (JPEGBaseline8Bit, JPEGExtended12Bit, JPEGLossless, JPEGLosslessSV1)
_JPEG_LS = (JPEGLSLossless, JPEGLSNearLossless)
_NAME = "fedscan"
#: What pydicom asks of a plug-in: the packages that it needs by transfer syntax.
DECODER_DEPENDENCIES = {
    **{syntax: ("pylibjpeg>=2.0", "pylibjpeg-libjpeg>=2.1") for syntax in _JPEG},
    **{syntax: ("pyjpegls>=1.2",) for syntax in _JPEG_LS},
}
_LIBJPEG = cast(dict[str, dict[str, Decoder]], get_pixel_data_decoders(version=2))


def is_available(syntax: str) -> bool:
    """Whether the decoder behind this one is installed."""
    return UID(syntax) in _JPEG_LS or UID(syntax) in _LIBJPEG


def decode_frame(source: bytes, runner: DecodeRunner) -> bytearray:
    """Decode one frame.

    Raises:
        DamagedStreamError: If its code stream is not whole.
        RuntimeError: If CharLS, behind pyjpegls, finds another number of bits than it needs.
    """
    if runner.transfer_syntax in _JPEG_LS:
        require_end(source)
        return _decode_jpeg_ls(source, runner)
    require_whole(source)
    decode = next(iter(_LIBJPEG[runner.transfer_syntax].values()))
    return cast(bytearray, decode(source, version=2, **runner.options))


def _decode_jpeg_ls(source: bytes, runner: DecodeRunner) -> bytearray:
    pixels, info = jpeg_ls.decode_pixel_data(source)
    by_plane = info["components"] > 1 and info["interleave_mode"] == 0
    runner.set_option("planar_configuration", int(by_plane))
    runner.set_option("bits_allocated", 8 if info["bits_per_sample"] <= 8 else 16)
    return cast(bytearray, pixels)


def strict_decoder(syntax: UID) -> str:
    """Name the plug-in of pydicom that refuses damaged streams; empty if every one does."""
    return _NAME if syntax in DECODER_DEPENDENCIES else ""


for _syntax in DECODER_DEPENDENCIES:
    if _NAME not in get_decoder(_syntax).available_plugins:
        get_decoder(_syntax).add_plugin(_NAME, (__name__, "decode_frame"))
