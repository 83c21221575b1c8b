"""A federation of real processes on the loopback interface."""

from __future__ import annotations

import shutil
from collections.abc import Iterator
from contextlib import ExitStack
from pathlib import Path

import pytest
from comparing import undisturbed
from loopback import Federation
from orthanc import PLUGIN, PROGRAM, orthanc

NGINX = shutil.which("nginx", path="/usr/sbin:/usr/local/sbin:/usr/bin:/usr/local/bin")


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Where everything of the module's federation lies."""
    return tmp_path_factory.mktemp("federation")


@pytest.fixture(scope="module")
def federation(folder: Path) -> Iterator[Federation]:
    """A coordinator and two enrolled sites with a little data; nothing of it runs yet.

    Where Orthanc is installed, one site has its data from there.
    """
    yield from _federation(folder)


@pytest.fixture(scope="module")
def whole(federation: Federation) -> str:
    """Digest of the generator of a study in which nothing was killed; everything runs after it."""
    return undisturbed(federation)


@pytest.fixture
def own_federation(tmp_path: Path) -> Iterator[Federation]:
    """The same, for one test alone."""
    yield from _federation(tmp_path)


def _federation(folder: Path) -> Iterator[Federation]:
    if NGINX is None:
        pytest.skip("nginx is not installed (apt install nginx-light)")
    with ExitStack() as stack:
        pacs = stack.enter_context(orthanc(folder / "pacs")) if PROGRAM and PLUGIN else None
        made = Federation(folder, pacs=pacs)
        stack.callback(made.stop)
        yield made
