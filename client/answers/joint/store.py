"""A site's parts of joint sums, before any mask is on them: they never leave as they are.

A part has this site's share of the noise alone, so it is kept like a secret: only its owner can
read it, and it is overwritten before it is removed.
"""

from __future__ import annotations

import logging
import shutil
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from ....common.files import write_once
from ....errors import ProtocolError
from ....federation.protocol import SUM
from ....federation.wire import pack, unpack
from ....privacy.ledger.durable import erase_file
from ..answer_store import ROUNDS_KEPT, STUDIES_KEPT, all_but_newest

_log = logging.getLogger(__name__)


class SumStore:
    """The parts of one study.

    Args:
        folder: Where they lie; made with the first one.
    """

    def __init__(self, folder: Path) -> None:
        self._folder = folder

    def find(self, message: str) -> NDArray[np.uint32] | None:
        """Return the part of a sum; ``None`` if there is none, or a damaged one.

        Args:
            message: Digest of the request that began the sum.
        """
        path = self._path(message)
        try:
            values = unpack(path.read_bytes())[SUM]
        except FileNotFoundError:
            return None
        except (ProtocolError, KeyError):
            _log.warning("%s is damaged; the part is made again.", path)
            path.unlink()
            return None
        return values

    def keep(self, message: str, values: NDArray[np.uint32]) -> None:
        """Keep a part durably; the oldest are erased."""
        self._folder.mkdir(parents=True, exist_ok=True, mode=0o700)
        write_once(self._path(message), pack({SUM: values}))
        for old in all_but_newest(self._folder, "*.sum", ROUNDS_KEPT):
            erase_file(old)
        for study in all_but_newest(self._folder.parent, "*", STUDIES_KEPT):
            for old in study.glob("*.sum"):
                erase_file(old)
            shutil.rmtree(study, ignore_errors=True)

    def erase(self) -> None:
        """Erase all parts of the study."""
        for path in self._folder.glob("*.sum"):
            erase_file(path)
        shutil.rmtree(self._folder, ignore_errors=True)

    def _path(self, message: str) -> Path:
        return self._folder / f"{message}.sum"
