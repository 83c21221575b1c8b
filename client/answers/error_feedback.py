"""What a site's compact updates lost to rounding, kept until the next round adds it again.

It is computed from the noised update and the study's form alone, so it says no more about a
patient than the update itself. A repeated round must come to the same bytes, so it must start
from the same residual: each round has a file of its own.
"""

from __future__ import annotations

from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from safetensors import SafetensorError
from safetensors.numpy import load, save

from ...common.files import write_atomically
from ...errors import DataError

_NAME = "residual"
#: One more than the steps that a site can repeat: the oldest of them starts from one before.
_KEPT = 5


class ErrorFeedback:
    """The residuals of one study.

    Args:
        folder: Where they lie; made on the first :meth:`keep`.
    """

    def __init__(self, folder: Path) -> None:
        self._folder = folder

    def before(self, number: int) -> NDArray[np.float32] | None:
        """Return what the rounds before ``number`` lost, float32 ``[N]``; ``None`` if nothing.

        Raises:
            DataError: If the file is damaged.
        """
        earlier = [path for path in self._files() if path.stem < _stem(number)]
        if not earlier:
            return None
        try:
            return np.asarray(load(earlier[-1].read_bytes())[_NAME], np.float32)
        except (SafetensorError, KeyError) as error:
            raise DataError(
                f"{earlier[-1]} is damaged.",
                hint="Delete it: the next updates are a little less exact, nothing else is lost.",
            ) from error

    def keep(self, number: int, remainder: NDArray[np.float32]) -> None:
        """Keep what a round lost, durably, before its update is on record and leaves.

        A repeated round changes nothing. One that comes out differently begins another future:
        the rounds after it, which followed from the old one, are forgotten.
        """
        path, content = self._folder / f"{_stem(number)}.safetensors", save({_NAME: remainder})
        if path.exists() and path.read_bytes() == content:
            return
        for later in (file for file in self._files() if file.stem > path.stem):
            later.unlink()
        write_atomically(path, content)
        for old in self._files()[:-_KEPT]:
            old.unlink()

    def _files(self) -> list[Path]:
        return sorted(self._folder.glob("round-*.safetensors"))


def _stem(number: int) -> str:
    return f"round-{number:07d}"
