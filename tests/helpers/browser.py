"""Chromium without a window, for the tests of pages; they are skipped where there is none."""

from __future__ import annotations

import shutil
import subprocess
from pathlib import Path

import pytest

_CHROMIUM = shutil.which("chromium") or shutil.which("google-chrome")
_FLAGS = (
    "--headless",
    "--no-sandbox",
    "--disable-gpu",
    "--disable-quic",
    "--no-first-run",
    "--hide-scrollbars",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
)

needs_chromium = pytest.mark.skipif(_CHROMIUM is None, reason="no Chromium on this machine")


def chromium(profile: Path, *arguments: str) -> list[str]:
    """Return a command line of the browser, with a profile of its own."""
    return [str(_CHROMIUM), *_FLAGS, f"--user-data-dir={profile}", *arguments]


def loaded_page(profile: Path, address: str, *switches: str) -> str:
    """Return a page's HTML as it is once its scripts have run."""
    done = subprocess.run(
        chromium(profile, *switches, "--dump-dom", address),
        capture_output=True,
        text=True,
        timeout=240,
        check=True,
    )
    return done.stdout
