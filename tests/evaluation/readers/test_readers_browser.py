"""The readers' page in a real browser, driven by real keys over its debugging pipe."""

from __future__ import annotations

import base64
import io
import shutil
import time
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest
from axe import violations
from browser import CUT_OFF, Browser, needs_chromium, serving
from fedscan.evaluation.readers.answers import AnswerBook
from fedscan.evaluation.readers.app import readers_app
from fedscan.evaluation.readers.study import ReaderStudy
from fedscan.model.intensity import hounsfield_to_model
from PIL import Image

pytestmark = [
    needs_chromium,
    pytest.mark.skipif(shutil.which("bash") is None, reason="no bash on this machine"),
]


@pytest.fixture
def address(study: ReaderStudy) -> Iterator[str]:
    with serving(readers_app(study)) as address:
        yield address


@pytest.fixture
def browser(tmp_path: Path) -> Iterator[Browser]:
    opened = Browser(tmp_path / "profile")
    yield opened
    opened.stop()


def begin(browser: Browser, address: str, reader: str) -> None:
    browser.open(address)
    # The field has the focus from the start: no mouse is needed.
    browser.until("document.activeElement && document.activeElement.id === 'reader'")
    for letter in reader:
        browser.press(letter)
    browser.press("Enter")
    browser.until("!document.getElementById('start').offsetParent")


def test_a_study_is_read_by_keys_alone_and_goes_on_later(
    study: ReaderStudy, address: str, browser: Browser
) -> None:
    status = "document.getElementById('status').textContent"
    order = study.order("ann")
    begin(browser, address, "ann")
    browser.until(f"{status} === 'Image 1 of 8'")
    browser.until("document.getElementById('image').naturalWidth === 16")
    assert browser.value("document.getElementById('image').alt").startswith("Image 1 of 8")
    for number, key in enumerate("142", start=2):
        browser.press(key)
        browser.until(f"{status} === 'Image {number} of 8'")
    book = AnswerBook(study)
    assert [book.of("ann")[item].rating for item in order[:3]] == [1, 4, 2]
    # Back to the last answer, and another one instead.
    browser.press("Backspace")
    browser.until(f"{status} === 'Image 3 of 8'")
    assert browser.value("document.querySelector('[aria-pressed=true]').innerText")[-1] == "2"
    browser.press("3")
    browser.until(f"{status} === 'Image 4 of 8'")
    assert book.of("ann")[order[2]].rating == 3

    begin(browser, address, "ann")  # the page is opened again
    browser.until(f"{status} === 'Image 4 of 8'")
    for said in [*(f"Image {number} of 8" for number in range(5, 9)), "All 8 images judged"]:
        browser.press("4")
        browser.until(f"{status} === '{said}'")
    assert len(book.of("ann")) == 8
    assert browser.value("document.activeElement.id") == "end"
    # Everything came from this machine, and no address tells what is real.
    assert browser.asked
    assert all(url.startswith(address) for url in browser.asked)
    shown = [url for url in browser.asked if "/images/" in url]
    assert {url.rsplit("/", 1)[1] for url in shown} == {f"{item}.png" for item in order}


def test_the_page_has_names_for_everything_and_says_what_is_wrong(
    study: ReaderStudy, address: str, browser: Browser
) -> None:
    begin(browser, address, "bob")
    browser.until("document.getElementById('image').naturalWidth > 0")
    assert browser.value("document.documentElement.lang") == "en"
    assert browser.value("document.querySelectorAll('h1').length") == 1
    assert browser.value("document.querySelector('label[for=reader]') !== null")
    nodes = browser.call("Accessibility.getFullAXTree")["nodes"]
    shown = [node for node in nodes if not node.get("ignored")]
    roles = [node["role"]["value"] for node in shown]
    for role, count in (("button", 5), ("image", 1), ("progressbar", 1)):
        own = [node for node in shown if node["role"]["value"] == role]
        assert len(own) == count, roles
        assert all(node["name"]["value"] for node in own)
    # An answer that cannot be kept is not passed over.
    (study.folder / "answers").write_text("a file where the folder must be")
    browser.press("1")
    browser.until("!document.getElementById('problem').hidden")
    assert "not kept" in browser.value("document.getElementById('problem').innerText")
    assert browser.value("document.getElementById('status').textContent") == "Image 1 of 8"


def grey_shown(browser: Browser) -> int:
    """Return the grey level in the middle of the image, as it is on the screen."""
    place = browser.value(
        "(r => [r.x + r.width / 2, r.y + r.height / 2])"
        "(document.getElementById('image').getBoundingClientRect())"
    )
    clip = {"x": place[0], "y": place[1], "width": 4, "height": 4, "scale": 1}
    data = browser.call("Page.captureScreenshot", {"clip": clip})["data"]
    return Image.open(io.BytesIO(base64.b64decode(data))).convert("L").getpixel((1, 1))


@pytest.mark.parametrize(("unit", "expected"), [(0.0, (127, 0, 102)), (200.0, (204, 255, 230))])
def test_a_reader_chooses_the_window_of_ct_and_no_other_image(
    tmp_path: Path, browser: Browser, unit: float, expected: tuple[int, int, int]
) -> None:
    grey = np.full((2, 32, 32), hounsfield_to_model(np.array(unit)), np.float32)
    study = ReaderStudy.create(
        tmp_path / "ct", "Heads", grey[:1], grey[1:], ["a", "b"], ct=[True, False]
    )
    with serving(readers_app(study)) as address:
        begin(browser, address, "ann")
        browser.until("document.getElementById('image').naturalWidth === 32")
        ct_first = study.order("ann")[0] in study.ct
        if not ct_first:
            assert browser.value("document.getElementById('window').hidden")
            browser.press("1")
        browser.until("!document.getElementById('window').hidden")
        found = []
        for preset in (0, 1, 2):
            browser.value(
                f"(s => {{ s.value = '{preset}'; s.dispatchEvent(new Event('change')) }})"
                "(document.getElementById('preset'))"
            )
            time.sleep(0.3)
            found.append(grey_shown(browser))
        assert found == pytest.approx(expected, abs=5)
        if ct_first:
            browser.press("1")
            browser.until("document.getElementById('window').hidden")
            assert grey_shown(browser) == pytest.approx(expected[0], abs=3)
    assert ReaderStudy.open(study.folder).ct == study.ct


@pytest.mark.parametrize("scheme", ["light", "dark"])
@pytest.mark.parametrize("width", [1300, 400])
def test_axe_finds_nothing_and_nothing_is_cut_off(
    study: ReaderStudy, address: str, browser: Browser, width: int, scheme: str
) -> None:
    browser.window(width, scheme)
    browser.open(address)
    browser.until("document.activeElement && document.activeElement.id === 'reader'")
    assert violations(browser) == []
    begin(browser, address, "ann")
    browser.until("document.getElementById('image').naturalWidth > 0")
    assert violations(browser) == []
    assert browser.value(CUT_OFF) == []
    for number in range(2, 9):
        browser.press("1")
        browser.until(f"document.getElementById('status').textContent === 'Image {number} of 8'")
    browser.press("1")
    browser.until("document.activeElement.id === 'end'")
    assert violations(browser) == []
