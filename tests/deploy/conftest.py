from __future__ import annotations

import sys
from pathlib import Path

import pytest

sys.path.insert(0, str(Path(__file__).parent))


@pytest.fixture
def deploy() -> Path:
    """The folder under test."""
    return Path(__file__).parents[2] / "deploy"
