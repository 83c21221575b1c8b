"""The report in a real browser, where one is installed."""

from pathlib import Path

import pytest
from axe import violations
from browser import CUT_OFF, Browser, loaded_page, needs_chromium
from fedscan.evaluation.gate import GateOutcome, LineOutcome
from fedscan.evaluation.report.build import write_report
from fedscan.evaluation.report.examination import write_examination_page
from fedscan.evaluation.results import Examination
from fedscan.evaluation.section import Figure, Grid, Measure, Section
from PIL import Image


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


@pytest.fixture
def examination(tmp_path: Path) -> Path:
    """An examination's page with all that such a page can have, in long words."""
    Image.new("L", (900, 300), 90).save(tmp_path / "copies.png")
    measures = (
        Measure(
            name="feature_close_share",
            title="Synthetic images closer to a training image than held-out ones are",
            value=0.0123456,
            low=0.001,
            high=0.034,
            better="lower",
            note="A threshold is chosen on one half of the held-out patients.",
        ),
        Measure(
            name="loss_auc", title="Members told by their loss", value=None, note="No weights."
        ),
        Measure(
            name="canaries", title="Canaries", value=None, inconclusive=True, note="Nothing moved."
        ),
    )
    columns = ("Group of images", "Patients", "Nearest, training", "Nearest, held out", "Ratio")
    rows = (("CT, head, haemorrhage of the cerebellum", 31, 0.731, 0.742, 1.01), ("MR", 9, 1, 1, 1))
    section = Section(
        key="memory",
        title="Does it remember patients?",
        summary="No more near copies than unseen patients have.",
        measures=measures,
        tables=(Grid(title="By group", columns=columns, rows=rows),),
        figures=(Figure(title="The closest pairs", file="copies.png"),),
    )
    line = LineOutcome(
        measure="memory.feature_close_share",
        bound="at most 0.1, by the interval",
        found="0.012 (0.001 to 0.034)",
        passed=False,
        why="No more near-copies than unseen patients have.",
    )
    page = write_examination_page(
        Examination(
            fedscan="9.8.7",
            name="heads-of-the-university-hospital",
            generator="ab" * 32,
            against={"base": "cd" * 32},
            own_split=False,
            train_patients=120,
            holdout_patients=30,
            sections=(section,),
            gate=GateOutcome(name="The gate", lines=(line,)),
        ),
        tmp_path,
    )
    return page


@pytest.fixture
def report(run, tmp_path: Path, gallery) -> Path:
    return write_report(run, tmp_path / "report.html", gallery=gallery)


@needs_chromium
@pytest.mark.parametrize("scheme", ["light", "dark"])
@pytest.mark.parametrize("width", [1300, 400])
@pytest.mark.parametrize("kind", ["report", "examination"])
def test_axe_finds_nothing_and_nothing_is_cut_off(request, tmp_path, kind, width, scheme):
    page = request.getfixturevalue(kind)
    browser = Browser(tmp_path / "profile")
    try:
        browser.window(width, scheme)
        browser.open(page.as_uri())
        browser.until("document.readyState === 'complete' && document.querySelector('h1') !== null")
        browser.value("document.querySelectorAll('details').forEach(one => { one.open = true })")
        assert violations(browser) == []
        assert browser.value(CUT_OFF) == []
    finally:
        browser.stop()
