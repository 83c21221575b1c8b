"""Whether a JPEG code stream is whole: every coded value there, and nothing left over.

Decoders of JPEG go on after damage and fill the rest of the picture with grey or with noise, so
a film that was cut short or overwritten would be trained on. Entropy-coded data has no checksum,
but Huffman codes betray damage: a code that does not exist, too many coefficients in a block, or
another number of bits than the frame's blocks (or samples) need. So the codes are walked through
once, without computing a pixel (ISO/IEC 10918-1, annexes B, F and H).
"""

from __future__ import annotations

import re
import struct
from collections.abc import Iterator
from dataclasses import dataclass
from math import ceil

import numpy as np
from numpy.typing import NDArray

#: Where a run of coded data ends: at a marker that is neither a stuffed byte nor a restart.
_RUN_END = re.compile(rb"\xff[^\x00\xd0-\xd7\xff]")
_RESTART = re.compile(rb"\xff+[\xd0-\xd7]")
_SOI, _EOI, _SOS, _DHT, _DRI, _DNL = 0xD8, 0xD9, 0xDA, 0xC4, 0xDD, 0xDC
_SEQUENTIAL, _LOSSLESS = (0xC0, 0xC1), 0xC3
_FRAMES = frozenset(range(0xC0, 0xD0)) - {0xC4, 0xC8, 0xCC}
#: Coded bytes that are looked up at a time: eight table entries for each.
_CHUNK = 1 << 16
#: Coefficients of a block.
_BLOCK = 64


class DamagedStreamError(ValueError):
    """A code stream ends too early, or does not hold what its frame needs."""


@dataclass(frozen=True, eq=False)
class _Table:
    """A Huffman table, looked up by the next 16 bits.

    Attributes:
        bits: Length of the code and of what follows it, ``[65536]``; 0 where there is no code.
        steps: Coefficients that a code of a block stands for, ``[65536]``; 0 ends the block.
    """

    bits: NDArray[np.uint8]
    steps: NDArray[np.uint8]


@dataclass(frozen=True)
class _Frame:
    """A frame header: size in samples and ``(horizontal, vertical)`` sampling by component."""

    kind: int
    rows: int
    columns: int
    sampling: dict[int, tuple[int, int]]

    def size(self, component: int, unit: int) -> tuple[int, int]:
        """Rows and columns of a component in units of one sample or eight."""
        most = np.max([*self.sampling.values()], 0)
        across, down = self.sampling[component]
        rows, columns = ceil(self.rows * down / most[1]), ceil(self.columns * across / most[0])
        return ceil(rows / unit), ceil(columns / unit)


def require_whole(stream: bytes) -> None:
    """Check one frame's code stream.

    Sequential and lossless streams in Huffman codes are walked through; of the others only the
    markers are looked at.

    Args:
        stream: From the start of the image to its end, padding after it allowed.

    Raises:
        DamagedStreamError: If it is not whole.
    """
    try:
        _walk(stream)
    except DamagedStreamError:
        raise
    except (ArithmeticError, LookupError, ValueError, struct.error):
        raise DamagedStreamError("a segment is cut short or refers to none") from None


def require_end(stream: bytes) -> None:
    """Check that a stream of any JPEG kind ends with the end of its image.

    Raises:
        DamagedStreamError: If it does not; padding behind it is allowed.
    """
    if not stream.rstrip(b"\0\xff").endswith(bytes((_EOI,))) or b"\xff\xd9" not in stream[-8:]:
        raise DamagedStreamError("no end of image")


def _walk(stream: bytes) -> None:
    if stream[:2] != bytes((0xFF, _SOI)):
        raise DamagedStreamError("no start of image")
    tables: dict[tuple[int, int], _Table] = {}
    frame: _Frame | None = None
    components: set[int] = set()
    interval, place = 0, 2
    while True:
        place, marker = _next_marker(stream, place)
        if marker == _EOI:
            if frame is None or components != set(frame.sampling):
                raise DamagedStreamError("a component without coded data")
            return
        (length,) = struct.unpack_from(">H", stream, place)
        segment = stream[place + 2 : place + length]
        if length < 2 or place + length > len(stream):
            raise DamagedStreamError("a segment is cut short")
        place += length
        if marker == _DHT:
            tables.update(_tables(segment))
        elif marker == _DRI:
            (interval,) = struct.unpack(">H", segment[:2])
        elif marker in _FRAMES:
            frame = _frame(marker, segment)
        elif marker == _SOS:
            end = _RUN_END.search(stream, place)
            if end is None or frame is None:
                raise DamagedStreamError("coded data without an end")
            if stream[end.start() + 1] != _DNL:
                _check_scan(stream[place : end.start()], frame, segment, tables, interval)
            components |= {segment[1 + 2 * index] for index in range(segment[0])}
            place = end.start()


def _next_marker(stream: bytes, place: int) -> tuple[int, int]:
    """Position behind the next marker, and the marker; fill bytes may stand before it."""
    if stream[place] != 0xFF:
        raise DamagedStreamError("no marker where there must be one")
    while stream[place] == 0xFF:
        place += 1
    return place + 1, stream[place]


def _frame(kind: int, segment: bytes) -> _Frame:
    _, rows, columns, count = struct.unpack_from(">BHHB", segment)
    sampling = {}
    for index in range(count):
        component, factors = segment[6 + 3 * index], segment[7 + 3 * index]
        sampling[component] = factors >> 4, factors & 15
    return _Frame(kind, rows, columns, sampling)


def _tables(segment: bytes) -> Iterator[tuple[tuple[int, int], _Table]]:
    """Read Huffman tables, which a segment may hold several of."""
    while segment:
        kind, name = segment[0] >> 4, segment[0] & 15
        counts = segment[1:17]
        symbols = segment[17 : 17 + sum(counts)]
        bits, steps = np.zeros(1 << 16, np.uint8), np.full(1 << 16, _BLOCK + 1, np.uint8)
        code = place = 0
        for length, count in enumerate(counts, start=1):
            for symbol in symbols[place : place + count]:
                entries = slice(code << (16 - length), (code + 1) << (16 - length))
                if kind:  # a run of zeros and the size of the value behind it
                    steps[entries] = 0 if symbol == 0 else (symbol >> 4) + 1
                    bits[entries] = length + (symbol & 15)
                else:  # the size of a difference; 16 has no further bits (annex H.1.2.2)
                    bits[entries] = length + (0 if symbol == 16 else symbol)
                code += 1
            place += count
            code <<= 1
        yield (kind, name), _Table(bits, steps)
        segment = segment[17 + len(symbols) :]


def _check_scan(
    data: bytes,
    frame: _Frame,
    header: bytes,
    tables: dict[tuple[int, int], _Table],
    interval: int,
) -> None:
    """Check the coded data of one scan."""
    if frame.kind not in (*_SEQUENTIAL, _LOSSLESS) or not frame.rows:
        return
    lossless = frame.kind == _LOSSLESS
    components = [(header[1 + 2 * i], header[2 + 2 * i]) for i in range(header[0])]
    unit = 1 if lossless else 8
    order: list[tuple[_Table, _Table | None]] = []
    for component, names in components:
        dc, ac = tables[0, names >> 4], None if lossless else tables[1, names & 15]
        across, down = frame.sampling[component] if len(components) > 1 else (1, 1)
        order += [(dc, ac)] * (across * down)
    if len(components) > 1:
        most = np.max([*frame.sampling.values()], 0) * unit
        groups = ceil(frame.rows / most[1]) * ceil(frame.columns / most[0])
    else:
        rows, columns = frame.size(components[0][0], unit)
        groups = rows * columns
    runs = _RESTART.split(data) if interval else [data]
    if interval and len(runs) != ceil(groups / interval):
        raise DamagedStreamError("another number of restarts than the frame needs")
    for index, run in enumerate(runs):
        count = min(interval, groups - index * interval) if interval else groups
        code = _Coded(run.rstrip(b"\xff").replace(b"\xff\x00", b"\xff"))
        bits_used = code.pass_samples(order, count) if lossless else code.pass_blocks(order, count)
        if not 0 <= code.length - bits_used < 8:
            raise DamagedStreamError("coded data does not end with the frame")


class _Coded:
    """Walks over coded bits, looking them up chunk by chunk."""

    def __init__(self, data: bytes) -> None:
        self.length = 8 * len(data)
        self._data = np.frombuffer(data + b"\xff" * 4, np.uint8).astype(np.uint32)
        self._base = self._end = 0
        self._views: dict[int, tuple[bytes, bytes]] = {}
        self._windows: NDArray[np.uint16] = np.zeros(0, np.uint16)

    def pass_samples(self, order: list[tuple[_Table, _Table | None]], groups: int) -> int:
        """Pass samples of a lossless scan and return the number of bits."""
        place, samples = 0, groups * len(order)
        if len(order) == 1:
            while samples and self._advance(place):
                bits, base, end = self._lookup(order[0][0])[0], self._base, self._end
                while samples and place < end:
                    step = bits[place - base]
                    if not step:  # a code that the table does not have
                        return self.length + 8
                    place += step
                    samples -= 1
            return place + (8 * samples)
        for _ in range(groups):
            for table, _ac in order:
                if place >= self._end and not self._advance(place):
                    return self.length + 8
                step = self._lookup(table)[0][place - self._base]
                if not step:  # a code that the table does not have
                    return self.length + 8
                place += step
        return place

    def pass_blocks(self, order: list[tuple[_Table, _Table | None]], groups: int) -> int:
        """Pass blocks of a sequential scan and return the number of bits."""
        place = 0
        for _ in range(groups):
            for dc, ac in order:
                assert ac is not None
                if place >= self._end and not self._advance(place):
                    raise DamagedStreamError("coded data ends before the frame")
                step = self._lookup(dc)[0][place - self._base]
                if not step:
                    raise DamagedStreamError("a code that does not exist")
                place += step
                bits, steps = self._lookup(ac)
                base, end, position = self._base, self._end, 1
                while position < _BLOCK:
                    if place >= end:
                        if not self._advance(place):
                            raise DamagedStreamError("coded data ends before the frame")
                        bits, steps = self._lookup(ac)
                        base, end = self._base, self._end
                    step = steps[place - base]
                    place += bits[place - base]
                    if not step:
                        break
                    position += step
                if position > _BLOCK:
                    raise DamagedStreamError("more coefficients than a block has")
        return place

    def _advance(self, place: int) -> bool:
        """Make ready to look up at a bit; whether there is one."""
        if place >= self.length:
            return False
        if self._base <= place < self._end:
            return True
        first = place // 8
        data = self._data[first : first + _CHUNK + 2]
        triples = data[:-2] << 16 | data[1:-1] << 8 | data[2:]
        shifts = np.arange(8, 0, -1, dtype=np.uint32)
        self._windows = (triples[:, None] >> shifts & 0xFFFF).astype(np.uint16).ravel()
        self._base, self._end = 8 * first, min(8 * first + len(self._windows), self.length)
        self._views = {}
        return True

    def _lookup(self, table: _Table) -> tuple[bytes, bytes]:
        """Bits and steps of a table at every bit of the chunk."""
        views = self._views.get(id(table))
        if views is None:
            views = table.bits[self._windows].tobytes(), table.steps[self._windows].tobytes()
            self._views[id(table)] = views
        return views
