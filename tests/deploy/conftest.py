from __future__ import annotations

from pathlib import Path

import pytest

# Real federations and made-up hospitals of other tests.


@pytest.fixture
def deploy() -> Path:
    """The folder under test."""
    return Path(__file__).parents[2] / "deploy"
