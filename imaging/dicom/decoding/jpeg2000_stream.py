"""Whether a JPEG 2000 code stream is whole, as far as its markers tell (ISO/IEC 15444-1, annex A).

Arithmetic codes decode to something whatever they hold. But coded data never contains a byte FF
followed by more than 8F, so that markers can be told: where random bytes were written over it, it
soon does.
"""

from __future__ import annotations

import re
import struct

from .jpeg_stream import DamagedStreamError

_START, _SIZE, _TILE, _DATA, _END = b"\xff\x4f", b"\xff\x51", b"\xff\x90", b"\xff\x93", b"\xff\xd9"
#: What no coded data contains; the markers of packets may stand in it.
_NEVER = re.compile(rb"\xff[\x90\x93-\xff]")


def require_whole_jpeg2000(stream: bytes) -> None:
    """Check one frame's code stream, on its own or within a JP2 file.

    Raises:
        DamagedStreamError: If it is cut short, its tiles do not end where they say, or coded data
            contains what it cannot.
    """
    try:
        _walk(stream, stream.index(_START + _SIZE))
    except (ValueError, struct.error) as error:
        if isinstance(error, DamagedStreamError):
            raise
        raise DamagedStreamError("a segment is cut short") from None


def _walk(stream: bytes, place: int) -> None:
    place = _pass_header(stream, place + 2, _TILE)
    while stream[place : place + 2] == _TILE:
        (length,) = struct.unpack_from(">I", stream, place + 6)
        end = place + length if length else stream.rindex(_END)
        data = _pass_header(stream, place, _DATA) + 2
        if end > len(stream) or data > end:
            raise DamagedStreamError("a tile is cut short")
        if _NEVER.search(stream, data, end):
            raise DamagedStreamError("a marker within coded data")
        place = end
    if stream[place : place + 2] != _END:
        raise DamagedStreamError("no end of the code stream")


def _pass_header(stream: bytes, place: int, until: bytes) -> int:
    """Pass marker segments up to a marker, and return where it stands."""
    while (marker := stream[place : place + 2]) != until:
        if len(marker) < 2 or marker[0] != 0xFF:
            raise DamagedStreamError("no marker where there must be one")
        place += 2 + struct.unpack_from(">H", stream, place + 2)[0]
    return place
