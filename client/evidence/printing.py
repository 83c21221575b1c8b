"""A page as PDF, by a Chromium that is on the machine, without a window and without a network."""

from __future__ import annotations

import os
import shutil
import subprocess
import tempfile
from pathlib import Path

_BROWSERS = ("chromium", "chromium-browser", "google-chrome", "google-chrome-stable", "chrome")
_FLAGS = (
    "--headless",
    "--disable-gpu",
    "--no-first-run",
    "--no-pdf-header-footer",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
)
_PATIENCE_S = 180


def print_page(page: Path, pdf: Path) -> bool:
    """Print a page of this machine.

    Args:
        page: An HTML file that needs nothing else.
        pdf: Where the PDF belongs.

    Returns:
        Whether there is a PDF now: there is none without a browser, or if it fails.
    """
    browser = next((path for name in _BROWSERS if (path := shutil.which(name))), None)
    if browser is None:
        return False
    with tempfile.TemporaryDirectory() as profile:
        words = [browser, *_FLAGS, f"--user-data-dir={profile}", f"--print-to-pdf={pdf}"]
        # Chromium has no sandbox for root; the page is our own and has no script.
        if os.geteuid() == 0:
            words.append("--no-sandbox")
        try:
            subprocess.run(
                [*words, page.resolve().as_uri()],
                stdin=subprocess.DEVNULL,
                capture_output=True,
                timeout=_PATIENCE_S,
                check=True,
            )
        except (OSError, subprocess.SubprocessError):
            return False
    return pdf.is_file() and pdf.read_bytes()[:5] == b"%PDF-"
