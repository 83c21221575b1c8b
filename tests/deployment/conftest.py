"""A federation of real processes on the loopback interface."""

from __future__ import annotations

import shutil
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

# The made-up hospitals of the simulation's tests.
sys.path.insert(0, str(Path(__file__).parents[1] / "simulation"))
sys.path.insert(0, str(Path(__file__).parent))

from loopback import Federation

NGINX = shutil.which("nginx", path="/usr/sbin:/usr/local/sbin:/usr/bin:/usr/local/bin")


@pytest.fixture(scope="module")
def federation(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Federation]:
    """A coordinator and two enrolled sites with a little data; nothing of it runs yet."""
    yield from _federation(tmp_path_factory.mktemp("federation"))


@pytest.fixture
def own_federation(tmp_path: Path) -> Iterator[Federation]:
    """The same, for one test alone."""
    yield from _federation(tmp_path)


def _federation(folder: Path) -> Iterator[Federation]:
    if NGINX is None:
        pytest.skip("nginx is not installed (apt install nginx-light)")
    made = Federation(folder)
    yield made
    made.stop()
