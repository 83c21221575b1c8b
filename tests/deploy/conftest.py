from __future__ import annotations

import sys
from pathlib import Path

import pytest

# Real federations and made-up hospitals of other tests.
for folder in ("deploy", "deployment", "simulation"):
    sys.path.insert(0, str(Path(__file__).parents[1] / folder))


@pytest.fixture
def deploy() -> Path:
    """The folder under test."""
    return Path(__file__).parents[2] / "deploy"
