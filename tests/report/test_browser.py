"""The report in a real browser, where one is installed."""

import shutil
import subprocess

import pytest
from fedscan.report.build import write_report

CHROMIUM = shutil.which("chromium") or shutil.which("google-chrome")
FLAGS = [
    "--headless",
    "--no-sandbox",
    "--disable-gpu",
    "--disable-quic",
    "--no-first-run",
    "--hide-scrollbars",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
]


@pytest.mark.skipif(CHROMIUM is None, reason="no Chromium on this machine")
@pytest.mark.parametrize("width", [1200, 500])
def test_the_page_fits_its_window(run, tmp_path, gallery, width):
    """A probe at the right edge would be drawn off-screen if anything were too wide."""
    report = write_report(run, tmp_path / "report.html", gallery=gallery)
    probe = (
        "<script>addEventListener('load',()=>{document.title=`${document.documentElement."
        "scrollWidth}/${innerWidth}/${[...document.images].every(i=>i.naturalWidth>0)}`})</script>"
    )
    html = report.read_text("utf-8").replace("default-src 'none'", "script-src 'unsafe-inline'")
    probed = tmp_path / "probed.html"
    probed.write_text(html.replace("</head>", f"{probe}</head>"), "utf-8")
    profile = tmp_path / "profile"
    found = subprocess.run(
        [CHROMIUM, *FLAGS, f"--user-data-dir={profile}", f"--window-size={width},900",
         "--dump-dom", probed.as_uri()],
        capture_output=True,
        text=True,
        timeout=240,
        check=True,
    ).stdout  # fmt: skip
    title = found.partition("<title>")[2].partition("</title>")[0]
    scrolled, inner, images = title.split("/")
    assert int(scrolled) <= int(inner)
    assert images == "true"
