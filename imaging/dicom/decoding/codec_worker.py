"""The process that runs image codecs: what damaged files break is this, and not the site.

Decoders written in other languages can crash, panic or never return on damaged streams. So
compressed files are decoded here. A request is one line of JSON on standard input. An answer
is two counts, rows and columns, and that many float32 pixels; or zero rows and as many bytes
of a reason as there are columns. Unlike pickles, neither can carry code.
"""

from __future__ import annotations

import json
import os
import resource
import signal
import struct
import sys
from pathlib import Path
from typing import BinaryIO

from ..pixels import read_frames
from ..quiet import quiet_pydicom
from ..set_aside import Reason, SetAsideError

#: Rows and columns of an answer.
SIZES = struct.Struct("<II")
#: A stream may promise any size; a bomb must not take the machine's memory.
_MEMORY_BYTES = 8 * 2**30


def serve(requests: BinaryIO, answers: BinaryIO) -> None:
    """Answer requests until the input ends."""
    for line in requests:
        request = json.loads(line)
        # At its end the kernel ends this process, whatever a codec is doing. It counts processor
        # time, so a busy machine makes no file look broken.
        limit = float(request["limit_s"])
        signal.setitimer(signal.ITIMER_PROF, limit)
        try:
            for frame in read_frames(Path(request["path"]), request["frames"], request["values"]):
                rows, columns = frame.shape
                _answer(answers, rows, columns, frame.astype("<f4").tobytes())
                signal.setitimer(signal.ITIMER_PROF, limit)
        except SetAsideError as error:
            _refuse(answers, error.reason)
        except (KeyboardInterrupt, SystemExit):
            raise
        except BaseException:
            # A panic in Rust is none of Exception's subclasses.
            _refuse(answers, Reason.BROKEN)
        signal.setitimer(signal.ITIMER_PROF, 0)


def _answer(answers: BinaryIO, rows: int, columns: int, content: bytes) -> None:
    answers.write(SIZES.pack(rows, columns) + content)
    answers.flush()


def _refuse(answers: BinaryIO, reason: Reason) -> None:
    text = reason.value.encode()
    _answer(answers, 0, len(text), text)


def main() -> None:
    """Serve on standard input and output, which the codecs themselves cannot write to."""
    answers = os.fdopen(os.dup(sys.stdout.fileno()), "wb")
    silence = os.open(os.devnull, os.O_WRONLY)
    os.dup2(silence, sys.stdout.fileno())
    hard = resource.getrlimit(resource.RLIMIT_AS)[1]
    limit = _MEMORY_BYTES if hard == resource.RLIM_INFINITY else min(_MEMORY_BYTES, hard)
    resource.setrlimit(resource.RLIMIT_AS, (limit, hard))
    with quiet_pydicom():
        serve(sys.stdin.buffer, answers)


if __name__ == "__main__":
    main()
