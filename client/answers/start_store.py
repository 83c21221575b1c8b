"""What a study's warm-up changed in the base, kept so that it travels once and not every round."""

from __future__ import annotations

import logging
from pathlib import Path

from ...common.files import write_atomically
from ...errors import ProtocolError, StartNeededError
from ...federation.protocol import RoundRequest, tensors_digest
from ...federation.wire import pack, unpack
from ..workspace.opened import Start

#: Studies that a data set may well take part in by turns.
_KEPT = 4

_log = logging.getLogger(__name__)


def find_start(request: RoundRequest, folder: Path) -> Start | None:
    """Return what a request starts from beside the base, from the request or from the folder.

    Raises:
        StartNeededError: If neither has it, or the file is damaged: the coordinator sends it.
    """
    digest = request.start_digest
    if not digest or request.start:
        return Start(digest, request.start) if digest else None
    path = _file(folder, digest)
    try:
        tensors = unpack(path.read_bytes())
    except FileNotFoundError:
        tensors = {}
    except ProtocolError:
        _log.warning("%s is damaged; the coordinator is asked for its content.", path)
        tensors = {}
    if not tensors or tensors_digest(tensors) != digest:
        path.unlink(missing_ok=True)
        raise StartNeededError(f"The start {digest[:12]} of the study is not at this site.")
    return Start(digest, tensors)


def keep_start(start: Start | None, folder: Path) -> None:
    """Keep a start for the study's next rounds; the oldest of earlier studies make room."""
    if start is None or _file(folder, start.digest).exists():
        return
    write_atomically(_file(folder, start.digest), pack(start.tensors))
    files = sorted(folder.glob("*.safetensors"), key=lambda file: file.stat().st_mtime_ns)
    for old in files[:-_KEPT]:
        old.unlink()


def _file(folder: Path, digest: str) -> Path:
    return folder / f"{digest}.safetensors"
