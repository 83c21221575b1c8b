"""The steward's page in a real browser: by keyboard, at every width, with axe-core's checks."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest
from axe import violations
from browser import CUT_OFF, Browser, needs_chromium, serving
from fedscan.client.page.app import steward_app
from fedscan.client.steward.approvals import Approvals
from fedscan.client.steward.home import SiteHome

pytestmark = needs_chromium

#: As long as a real one.
TOKEN = "k" * 43

_TEXT = "document.body.innerText"


@pytest.fixture
def address(busy_home: SiteHome) -> Iterator[str]:
    with serving(steward_app(busy_home, TOKEN)) as address:
        yield address


@pytest.fixture
def browser(tmp_path: Path) -> Iterator[Browser]:
    opened = Browser(tmp_path / "profile")
    yield opened
    opened.stop()


def begin(browser: Browser, address: str) -> None:
    browser.open(f"{address}#{TOKEN}")
    browser.until("document.querySelectorAll('#data-sets article').length === 1")


def test_a_study_is_read_and_approved_and_the_site_paused_by_keyboard(
    browser: Browser, address: str, busy_home: SiteHome
) -> None:
    begin(browser, address)
    # The token is gone from the address, and is sent to nobody in one.
    assert TOKEN not in browser.value("location.href")
    assert not [url for url in browser.asked if TOKEN in url.partition("#")[0]]
    browser.tab_to("Pause")
    browser.press("Enter")
    browser.until(f"{_TEXT}.includes('Paused')")
    assert busy_home.pause_file.exists()
    browser.tab_to("Show what it would do")
    browser.press("Enter")
    browser.until("document.querySelector('#waiting dl.facts') !== null")
    # Whoever does not see the page is taken to what was asked for.
    assert "would do to chest" in browser.value("document.activeElement.innerText")
    assert "epsilon" in browser.value("document.querySelector('#waiting dl.facts').innerText")
    browser.tab_to("Approve")
    browser.press("Enter")
    browser.until("document.querySelectorAll('#approved tbody tr').length === 2")
    assert len(Approvals(busy_home).all()) == 2
    assert all(url.startswith(address) for url in browser.asked)


def test_a_study_is_declined_by_keyboard_with_a_reason(
    browser: Browser, address: str, busy_home: SiteHome
) -> None:
    begin(browser, address)
    browser.tab_to("Decline it")
    browser.press("Enter")
    browser.tab_to("reason")
    for letter in "no vote":
        browser.press("Space" if letter == " " else letter)
    browser.press("Enter")
    browser.until("document.querySelectorAll('#declined tbody tr').length === 1")
    assert "no vote" in browser.value("document.getElementById('declined').innerText")
    assert Approvals(busy_home).pending() == []


def test_without_the_token_it_shows_nothing_and_asks_for_it(
    browser: Browser, address: str, busy_home: SiteHome
) -> None:
    browser.open(address)
    browser.until("!document.getElementById('entry').hidden")
    assert violations(browser) == []
    assert "chest" not in browser.value(_TEXT)
    browser.tab_to("token")
    for letter in TOKEN:
        browser.press(letter)
    browser.press("Enter")
    browser.until("document.querySelectorAll('#data-sets article').length === 1")


def test_the_record_is_told_in_words(browser: Browser, address: str) -> None:
    begin(browser, address)
    browser.until("document.querySelectorAll('#audit tbody tr').length > 3")
    paid = browser.value("document.getElementById('budgets').innerText")
    assert "paid for: round 1" in paid
    assert "ledger begun" in paid
    told = browser.value("document.getElementById('audit').innerText")
    assert "Coordinator asked: training round 1" in told
    assert "Answered with a code alone" in told
    assert "Training round 1" in browser.value("document.getElementById('departures').innerText")


@pytest.mark.parametrize("scheme", ["light", "dark"])
@pytest.mark.parametrize("width", [1300, 400])
def test_axe_finds_nothing_and_nothing_is_cut_off(
    browser: Browser, address: str, width: int, scheme: str
) -> None:
    browser.window(width, scheme)
    begin(browser, address)
    for where, until in (
        ("#waiting form button", "#waiting dl.facts"),
        ("#data-sets .use button", "#data-sets .words"),
        ("#examine", "#findings table"),
    ):
        browser.value(f"document.querySelector('{where}').click()")
        browser.until(f"document.querySelector('{until}') !== null")
    browser.value("document.querySelectorAll('details').forEach(one => { one.open = true })")
    assert violations(browser) == []
    assert browser.value(CUT_OFF) == []
    nodes = browser.call("Accessibility.getFullAXTree")["nodes"]
    fields = [
        node
        for node in nodes
        if not node.get("ignored")
        and node["role"]["value"] in ("button", "textbox", "combobox", "checkbox", "image", "meter")
    ]
    assert len(fields) > 30
    assert [node for node in fields if not node["name"]["value"]] == []
