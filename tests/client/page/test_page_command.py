"""The steward's page as ``fedscan site page`` serves it: its own process, a real browser."""

from __future__ import annotations

import signal
from collections.abc import Iterator
from pathlib import Path

import pytest
from axe import violations
from browser import BRIGHTNESS, CUT_OFF, Browser, PageCommand, needs_chromium, page_by_command
from fedscan.client.steward.approvals import Approvals
from fedscan.client.steward.home import SiteHome

pytestmark = needs_chromium


@pytest.fixture
def served(busy_home: SiteHome) -> Iterator[PageCommand]:
    with page_by_command("site", "page", "--home", busy_home.folder) as page:
        yield page


@pytest.fixture
def browser(tmp_path: Path) -> Iterator[Browser]:
    opened = Browser(tmp_path / "profile")
    yield opened
    opened.stop()


def begin(browser: Browser, address: str) -> None:
    browser.open(address)
    browser.until("document.querySelectorAll('#data-sets article').length === 1")


def test_a_steward_decides_by_keyboard_and_ctrl_c_ends_the_page(
    browser: Browser, served: PageCommand, busy_home: SiteHome
) -> None:
    (waiting,) = Approvals(busy_home).pending()
    begin(browser, served.address)
    browser.press("Tab")
    assert browser.focus() == "Skip to the studies"
    browser.tab_to("Show what it would do")
    browser.press("Enter")
    browser.until("document.querySelector('#waiting dl.facts') !== null")
    browser.tab_to("Approve")
    browser.press("Enter")
    browser.until("document.querySelectorAll('#approved tbody tr').length === 2")
    assert waiting.digest in {one.study for one in Approvals(busy_home).all()}
    # All of it came from the command's own address, and the token is sent in none.
    origin, _, token = served.address.partition("#")
    assert len(token) >= 32
    assert all(url.startswith(origin) for url in browser.asked)
    assert not any(token in url.partition("#")[0] for url in browser.asked)

    served.process.send_signal(signal.SIGINT)
    served.process.wait(120)
    browser.until("document.body.innerText.includes('Start `fedscan site page` again')")


@pytest.mark.parametrize("scheme", ["light", "dark"])
@pytest.mark.parametrize("width", [1300, 400])
def test_axe_finds_nothing_and_nothing_is_cut_off(
    browser: Browser, served: PageCommand, width: int, scheme: str
) -> None:
    browser.window(width, scheme)
    begin(browser, served.address)
    assert violations(browser) == []
    assert browser.value(CUT_OFF) == []
    assert (browser.value(BRIGHTNESS) > 128) == (scheme == "light")
    # What a value is called stands beside it, not behind it.
    if width == 400:
        heads = "[...document.querySelectorAll('.stacked td')].map(one => getComputedStyle(one))"
        assert set(browser.value(f"{heads}.map(one => one.whiteSpace)")) == {"normal"}
