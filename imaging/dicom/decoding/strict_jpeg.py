"""A decoder of pydicom that refuses damaged JPEG streams, where others decode half of them.

The module has the form of pydicom's decoding plug-ins, and hands whole streams to them.
"""

from __future__ import annotations

from pydicom.pixels import get_decoder
from pydicom.pixels.decoders import pyjpegls, pylibjpeg
from pydicom.pixels.decoders.base import DecodeRunner
from pydicom.uid import (
    JPEG2000,
    UID,
    JPEG2000Lossless,
    JPEGBaseline8Bit,
    JPEGExtended12Bit,
    JPEGLossless,
    JPEGLosslessSV1,
    JPEGLSLossless,
    JPEGLSNearLossless,
)

from .jpeg2000_stream import require_whole_jpeg2000
from .jpeg_stream import require_end, require_whole

_JPEG = (JPEGBaseline8Bit, JPEGExtended12Bit, JPEGLossless, JPEGLosslessSV1)
_JPEG_LS = (JPEGLSLossless, JPEGLSNearLossless)
_JPEG_2000 = (JPEG2000Lossless, JPEG2000)
_NAME = "fedscan"
#: What pydicom asks of a plug-in: the packages that it needs by transfer syntax.
DECODER_DEPENDENCIES = {
    **{syntax: pylibjpeg.DECODER_DEPENDENCIES[syntax] for syntax in (*_JPEG, *_JPEG_2000)},
    **{syntax: pyjpegls.DECODER_DEPENDENCIES[syntax] for syntax in _JPEG_LS},
}


def is_available(syntax: str) -> bool:
    """Whether the decoder behind this one is installed."""
    return bool((pyjpegls if syntax in _JPEG_LS else pylibjpeg).is_available(syntax))


def decode_frame(source: bytes, runner: DecodeRunner) -> bytearray:
    """Decode one frame.

    Raises:
        DamagedStreamError: If its code stream is not whole.
        RuntimeError: If CharLS, behind pyjpegls, finds another number of bits than it needs.
    """
    syntax = runner.transfer_syntax
    if syntax in _JPEG_LS:
        require_end(source)
        return pyjpegls._decode_frame(source, runner)
    if syntax in _JPEG_2000:
        require_whole_jpeg2000(source)
    else:
        require_whole(source)
    return pylibjpeg._decode_frame(source, runner)


def strict_decoder(syntax: UID) -> str:
    """Name the plug-in of pydicom that refuses damaged streams; empty if every one does."""
    return _NAME if syntax in DECODER_DEPENDENCIES else ""


for _syntax in DECODER_DEPENDENCIES:
    if _NAME not in get_decoder(_syntax).available_plugins:
        get_decoder(_syntax).add_plugin(_NAME, (__name__, "decode_frame"))
