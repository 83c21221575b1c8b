"""Changes the processes below a site's SuperExec, on a test's word.

``DIES_AT`` names a moment of a round at which a process kills itself, once, while the file `ARMED`
is there. ``RELEASE`` names a file with what is installed of fedscan.
"""

from __future__ import annotations

import os
import signal
from collections.abc import Callable
from pathlib import Path
from typing import Any

from on_import import change_on_import

#: Moment: module, and the function whose call it is.
MOMENTS = {
    "before": ("fedscan.client.answers.round", "run_private_steps"),  # paid for, not begun
    "in": ("fedscan.privacy.dp_sgd", "poisson_sample"),  # in a step
    "after": ("fedscan.client.border.reply", "check_release"),  # on record, not sent
}


def _dying(name: str) -> Callable[[Any], None]:
    armed = Path(os.environ["ARMED"])

    def change(module: Any) -> None:
        original = getattr(module, name)

        def called(*arguments: Any, **options: Any) -> Any:
            if armed.exists():
                armed.unlink()
                os.kill(os.getpid(), signal.SIGKILL)
            return original(*arguments, **options)

        setattr(module, name, called)

    return change


if "DIES_AT" in os.environ:
    place, function = MOMENTS[os.environ["DIES_AT"]]
    change_on_import(place, _dying(function))

if "RELEASE" in os.environ:
    import importlib.metadata

    _version, _file = importlib.metadata.version, Path(os.environ["RELEASE"])

    def version(name: str) -> str:
        return _file.read_text() if name == "fedscan" else _version(name)

    importlib.metadata.version = version
