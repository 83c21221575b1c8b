"""The report in a real browser, where one is installed."""

import pytest
from browser import loaded_page, needs_chromium
from fedscan.evaluation.report.build import write_report


@needs_chromium
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
    found = loaded_page(tmp_path / "profile", probed.as_uri(), f"--window-size={width},900")
    title = found.partition("<title>")[2].partition("</title>")[0]
    scrolled, inner, images = title.split("/")
    assert int(scrolled) <= int(inner)
    assert images == "true"
