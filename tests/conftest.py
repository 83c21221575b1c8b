"""For all tests: one thread per process, no call home, and no time limit on a busy machine."""

from __future__ import annotations

import os
from pathlib import Path

import pytest
from hypothesis import settings

# Before anything imports torch or Flower.
os.environ.setdefault("OMP_NUM_THREADS", "1")

from fedscan.cli.environment import set_defaults

set_defaults()

pytest_plugins = ["dicom_files"]


settings.register_profile("fedscan", deadline=None)
settings.load_profile("fedscan")


@pytest.fixture(autouse=True)
def signing_key(tmp_path_factory: pytest.TempPathFactory, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A key of the tests' own signs what is generated, never the user's."""
    path = tmp_path_factory.getbasetemp() / "signing.key"
    monkeypatch.setenv("FEDSCAN_SIGNING_KEY", str(path))
    return path
