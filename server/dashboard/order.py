"""What a coordinator's orders say of a study, and a server that was killed could not."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Any

from ..coordinator.studies import StudyFolder


def checked(status: dict[str, Any], path: Path) -> dict[str, Any]:
    """Correct where a study stands, if a coordinator's files lie beside its run.

    Args:
        status: What the study's events say.
        path: Folder of the study.
    """
    folder = StudyFolder(path)
    if status["state"] == "finished" or not (path / "order.json").exists():
        return status
    phase, state, outcome = folder.phase, folder.state, folder.outcome
    if phase == "aborted":
        return status | {"state": "stopped", "reason": "it was aborted."}
    if phase == "failed":
        return status | {"state": "stopped", "reason": state.message}
    lives = phase == "running" and outcome.run == state.run and _lives(outcome.pid)
    if status["state"] != "waiting" and not lives:
        return status | {"state": "interrupted"}
    return status


def _lives(pid: int) -> bool:
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    except PermissionError:
        pass  # another user's, as the coordinator's may be
    return pid > 0
