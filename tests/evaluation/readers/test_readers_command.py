"""The readers' page as ``fedscan reader-study serve`` serves it."""

from __future__ import annotations

import signal
from pathlib import Path

import pytest
from axe import violations
from browser import BRIGHTNESS, CUT_OFF, Browser, needs_chromium, page_by_command
from fedscan.evaluation.readers.answers import AnswerBook
from fedscan.evaluation.readers.study import ReaderStudy

pytestmark = needs_chromium


@pytest.mark.parametrize(("width", "scheme"), [(1300, "light"), (400, "dark")])
def test_a_reader_answers_by_keys_and_an_answer_that_nobody_takes_is_told(
    study: ReaderStudy, tmp_path: Path, width: int, scheme: str
) -> None:
    status = "document.getElementById('status').textContent"
    browser = Browser(tmp_path / "profile")
    try:
        browser.window(width, scheme)
        with page_by_command("reader-study", "serve", study.folder) as page:
            browser.open(page.address)
            browser.until("document.activeElement && document.activeElement.id === 'reader'")
            for letter in "eve":
                browser.press(letter)
            browser.press("Enter")
            browser.until(f"{status} === 'Image 1 of 8'")
            browser.press("3")
            browser.until(f"{status} === 'Image 2 of 8'")
            assert AnswerBook(study).of("eve")[study.order("eve")[0]].rating == 3
            assert violations(browser) == []
            assert browser.value(CUT_OFF) == []
            # Images are judged in the dark, whatever the machine prefers.
            assert browser.value(BRIGHTNESS) < 64
            assert all(url.startswith(page.address) for url in browser.asked)
            page.process.send_signal(signal.SIGINT)
            page.process.wait(120)
        browser.press("2")
        browser.until("!document.getElementById('problem').hidden")
        assert browser.value(status) == "Image 2 of 8"
    finally:
        browser.stop()
