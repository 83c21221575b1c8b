"""What has left a site for a study, kept so that it can be sent again byte for byte.

It is what the coordinator has already, and has its noise: nothing more can be learnt from it than
from the answer itself. To make it again would need the very same machine and software.
"""

from __future__ import annotations

import logging
import os
import shutil
from pathlib import Path

from ...common.files import write_atomically
from ...errors import ProtocolError
from ...federation.protocol import Tensors
from ...federation.wire import pack, unpack

#: As many rounds as a coordinator may have to go back to.
ROUNDS_KEPT = 4
#: Studies that a data set may well take part in by turns.
STUDIES_KEPT = 4

_log = logging.getLogger(__name__)


class AnswerStore:
    """The answers of one study.

    Args:
        folder: Where they lie; made with the first one.
    """

    def __init__(self, folder: Path) -> None:
        self._folder = folder

    def find(self, message: str) -> Tensors | None:
        """Return the answer to a request; ``None`` if there is none, or a damaged one.

        Args:
            message: Digest of the request.
        """
        for path in self._folder.glob(f"*-{message}.safetensors"):
            try:
                return unpack(path.read_bytes())
            except ProtocolError:
                _log.warning("%s is damaged; the answer is made again.", path)
        return None

    def keep(self, message: str, kind: str, tensors: Tensors) -> None:
        """Keep an answer durably; the oldest of its kind make room.

        Args:
            message: Digest of the request.
            kind: One word: what was asked for.
            tensors: The answer.
        """
        write_atomically(self._folder / f"{kind}-{message}.safetensors", pack(tensors))
        for old in all_but_newest(self._folder, f"{kind}-*.safetensors", ROUNDS_KEPT):
            old.unlink()
        os.utime(self._folder)
        for study in all_but_newest(self._folder.parent, "*", STUDIES_KEPT):
            shutil.rmtree(study, ignore_errors=True)


def all_but_newest(folder: Path, names: str, count: int) -> list[Path]:
    """Return what of a folder has to make room, the oldest first.

    Args:
        folder: The folder.
        names: Pattern of the names that are looked at.
        count: How many stay, of which the newest was changed last.
    """
    return sorted(folder.glob(names), key=lambda path: path.stat().st_mtime_ns)[:-count]
