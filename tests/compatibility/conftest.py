"""What an earlier commit wrote, copied to where it can be gone on with."""

from __future__ import annotations

import os
from pathlib import Path

import pytest
import torch
from fedscan.client.steward.home import SiteHome
from fedscan.server.coordinator.home import Home
from written_before import BASE, BEFORE, EXPECTED, copied, moved


@pytest.fixture
def scans(tmp_path: Path) -> Path:
    """The hospitals' scans, changed when the sites read them: payments and caches name it."""
    folder = copied(BEFORE / "scans", tmp_path / "scans")
    for path in folder.rglob("*.dcm"):
        os.utime(path, ns=(EXPECTED["scans_changed_ns"],) * 2)
    return folder


@pytest.fixture(autouse=True)
def _one_thread() -> None:
    """Bytes of images are those of one thread, whatever another test has set."""
    torch.set_num_threads(1)


@pytest.fixture
def site(scans: Path, tmp_path: Path) -> SiteHome:
    """The site's home, with its data and base where they are now."""
    home = copied(BEFORE / "site", tmp_path / "site")
    copied(BASE, tmp_path / "generator")
    moved(home, tmp_path)
    return SiteHome.open(home)


@pytest.fixture
def coordinator(tmp_path: Path) -> Home:
    """The coordinator's home, with the studies' base where it is now."""
    home = copied(BEFORE / "coordinator", tmp_path / "coordinator")
    moved(home, tmp_path)
    return Home(home)
