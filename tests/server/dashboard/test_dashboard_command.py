"""The dashboard as ``fedscan coordinator dashboard`` serves it, of few sites and of a hundred."""

from __future__ import annotations

import signal
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from axe import violations
from browser import BRIGHTNESS, CUT_OFF, Browser, needs_chromium, page_by_command

pytestmark = needs_chromium

_ROWS = "document.querySelectorAll('#sites tbody tr').length"


@pytest.fixture
def browser(tmp_path: Path) -> Iterator[Browser]:
    opened = Browser(tmp_path / "profile")
    yield opened
    opened.stop()


@pytest.mark.parametrize(("width", "scheme"), [(1300, "light"), (400, "dark")])
def test_a_hundred_sites_are_folded_and_unfolded_by_keyboard(
    watched: Any, browser: Browser, width: int, scheme: str
) -> None:
    sites = [f"university-hospital-{number:03}" for number in range(100)]
    for number in (1, 2):
        watched.round(number, {site: "timeout" if site == sites[7] else "ok" for site in sites})
        watched.picture(number)
    browser.window(width, scheme)
    with page_by_command("coordinator", "dashboard", watched.path) as page:
        browser.open(page.address)
        browser.until(f"{_ROWS} === 5")
        browser.until("document.querySelector('#norms svg') !== null")
        # The one that gave nothing is among those that are shown.
        assert sites[7] in browser.value("document.getElementById('sites').innerText")
        assert violations(browser) == []
        assert browser.value(CUT_OFF) == []
        assert (browser.value(BRIGHTNESS) > 128) == (scheme == "light")
        browser.press("Tab")
        assert browser.focus() == "Skip to the sites"
        browser.tab_to("Show the other 95")
        browser.press("Enter")
        browser.until(f"{_ROWS} === 100")
        assert violations(browser) == []
        assert browser.value(CUT_OFF) == []
        browser.tab_to("Show fewer")
        browser.press("Space")
        browser.until(f"{_ROWS} === 5")
        assert all(url.startswith(page.address) for url in browser.asked)
        page.process.send_signal(signal.SIGINT)
        page.process.wait(120)
        browser.until("!document.getElementById('offline').hidden")
