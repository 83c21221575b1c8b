"""Decoding with a safety net: a codec that crashes or hangs costs one file, not the site."""

from __future__ import annotations

import contextlib
import json
import os
import struct
import subprocess
import sys
from collections.abc import Generator, Iterator, Sequence
from pathlib import Path

import numpy as np

from ..pixels import Image, Values, read_frames
from ..set_aside import Reason, SetAsideError
from .codec_worker import SIZES

#: Seconds of processor time that one frame may take.
FRAME_LIMIT_S = 60.0


class CodecProcess:
    """A worker process for compressed files; started when needed, replaced when lost.

    Args:
        limit_s: Seconds of processor time that one frame may take.
    """

    def __init__(self, limit_s: float = FRAME_LIMIT_S) -> None:
        self._limit_s = limit_s
        self._process: subprocess.Popen[bytes] | None = None
        self._owner = 0

    def read_frames(
        self, path: Path, frames: Sequence[int], values: Values
    ) -> Generator[Image, None, None]:
        """As :func:`fedscan.imaging.dicom.pixels.read_frames`, in the worker process."""
        process = self._started()
        is_whole = False
        try:
            request = {
                "path": str(path.resolve()),
                "frames": list(frames),
                "values": values,
                "limit_s": self._limit_s,
            }
            assert process.stdin is not None
            process.stdin.write(json.dumps(request).encode() + b"\n")
            process.stdin.flush()
            for _ in frames:
                answer = _receive(process)
                if isinstance(answer, Reason):
                    is_whole = True
                    raise SetAsideError(answer)
                yield answer
            is_whole = True
        except (OSError, ValueError, struct.error):
            raise SetAsideError(Reason.BROKEN) from None  # it died, or ran out of time
        finally:
            if not is_whole:
                self.stop()

    def stop(self) -> None:
        """End the worker; the next request starts another."""
        if self._process is not None and self._owner == os.getpid():
            self._process.kill()
            self._process.communicate()
        self._process = None

    def _started(self) -> subprocess.Popen[bytes]:
        # After a fork, parent and child must not share one worker's pipes.
        if self._process is None or self._owner != os.getpid() or self._process.poll() is not None:
            self._process = subprocess.Popen(
                [sys.executable, "-m", f"{__package__}.codec_worker"],
                stdin=subprocess.PIPE,
                stdout=subprocess.PIPE,
                stderr=subprocess.DEVNULL,
            )
            self._owner = os.getpid()
        return self._process


def _receive(process: subprocess.Popen[bytes]) -> Image | Reason:
    """Receive one frame, or the reason why there is none; an early end raises an error."""
    assert process.stdout is not None
    rows, columns = SIZES.unpack(process.stdout.read(SIZES.size))
    if not rows:
        return Reason(process.stdout.read(columns).decode())
    content = process.stdout.read(4 * rows * columns)
    return np.frombuffer(content, "<f4").reshape(rows, columns).copy()


#: One worker serves the whole process; it ends with it, when its standard input closes.
_WORKER = CodecProcess()


def safe_frames(
    path: Path, frames: Sequence[int], values: Values, *, compressed: bool
) -> Iterator[Image]:
    """Decode frames of one file, in ascending order; see ``pixels.read_frames``.

    Args:
        path: The file.
        frames: Ascending frame numbers from 0.
        values: What the pixels should stand for.
        compressed: Whether an image codec is needed: then it runs in a process of its own.

    Raises:
        SetAsideError: If the pixels cannot be decoded, or not within :data:`FRAME_LIMIT_S`.
    """
    read = _WORKER.read_frames if compressed else read_frames
    with contextlib.closing(read(path, frames, values)) as images:
        yield from images
