from __future__ import annotations

import shutil
import sys
from pathlib import Path

import pytest


def tool(name: str) -> str:
    """Return a tool's path, from the environment of the tests or the machine; else skip."""
    own = Path(sys.executable).parent / name
    path = str(own) if own.is_file() else shutil.which(name)
    if path is None:
        pytest.skip(f"{name} is not installed here")
    return path
