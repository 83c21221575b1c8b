"""The dashboard in a real browser, where one is installed."""

from __future__ import annotations

import re
import shutil
import threading
import time
from collections.abc import Callable, Iterator
from dataclasses import replace
from html.parser import HTMLParser
from pathlib import Path
from typing import Any

import pytest
import uvicorn
from axe import violations
from browser import Browser, loaded_page, needs_chromium
from fedscan.config.study import load_study, study_to_toml
from fedscan.server.dashboard.app import dashboard_app
from fedscan.server.dashboard.snapshot import WatchedStudy
from fedscan.server.events import StudyStopped, WeightsMoved
from fedscan.server.history import HistoryEntry
from fedscan.server.joint.events import CulpritsFound, KeysErased, RosterMade, SitesSuspected

pytestmark = needs_chromium


class Served:
    """A dashboard on a free port of loopback, and what was asked of it."""

    def __init__(self, folder: Path) -> None:
        self.asked: list[str] = []
        self.before: Callable[[str], None] = lambda path: None
        epsilons = [(0.5, 0.5), (2.0, 2.0), (3.0, 3.0), (3.7, 3.7), (4.2, 4.2)]
        inner = dashboard_app(WatchedStudy(folder), lambda: epsilons)

        async def outer(scope: Any, receive: Any, send: Any) -> None:
            if scope["type"] == "http":
                self.before(scope["path"])
                self.asked.append(scope["path"])
            await inner(scope, receive, send)

        self._server = uvicorn.Server(
            uvicorn.Config(outer, host="127.0.0.1", port=0, ws="none", log_level="error")
        )
        self._thread = threading.Thread(target=self._server.run)
        self._thread.start()
        deadline = time.monotonic() + 60
        while not self._server.started and time.monotonic() < deadline:
            time.sleep(0.02)
        self.port = self._server.servers[0].sockets[0].getsockname()[1]

    def stop(self) -> None:
        self._server.should_exit = True
        self._thread.join()


@pytest.fixture
def served(watched: Any) -> Iterator[Served]:
    server = Served(watched.path)
    yield server
    server.stop()


class Page(HTMLParser):
    """What a page holds, as far as the tests ask."""

    def __init__(self, content: str) -> None:
        super().__init__()
        self.elements: list[tuple[str, dict[str, str | None]]] = []
        self.text = ""
        self.feed(content)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.elements.append((tag, dict(attrs)))

    def handle_data(self, data: str) -> None:
        self.text += data

    def all(self, tag: str) -> list[dict[str, str | None]]:
        return [attributes for name, attributes in self.elements if name == tag]


def look(served: Served, tmp_path: Path, milliseconds: int = 3000) -> Page:
    address = f"http://127.0.0.1:{served.port}/"
    return Page(loaded_page(tmp_path / "profile", address, f"--virtual-time-budget={milliseconds}"))


def test_the_page_shows_the_study(watched: Any, served: Served, tmp_path: Path) -> None:
    watched.connect()
    watched.round(1)
    watched.round(2, {"north": "ok", "south": "timeout", "<b>west</b>": "ok"})
    watched.picture(1)
    watched.picture(2)
    page = look(served, tmp_path)
    assert "2/4 Head CT – fedscan" in page.text
    assert "Training round 3 of 4" in page.text
    assert "timeout: no answer in time" in page.text
    assert "<b>west</b>" in page.text
    assert not page.all("b")
    assert "ε 3.00 of 4" in page.text
    (image,) = page.all("img")
    assert image["src"] == "/previews/2.png"
    assert "Synthetic images after round 2" in str(image["alt"])
    assert "/previews/2.png" in served.asked
    assert len(page.all("polyline")) == 4


def test_a_screen_reader_finds_names_for_everything(
    watched: Any, served: Served, tmp_path: Path
) -> None:
    watched.round(1)
    watched.picture(1)
    page = look(served, tmp_path)
    identifiers = {attributes.get("id") for _, attributes in page.elements}
    assert page.all("html")[0]["lang"] == "en"
    assert all(head.get("scope") in ("col", "row") for head in page.all("th"))
    assert all(chart.get("aria-label") for chart in page.all("svg") if chart.get("role") == "img")
    labelled = {label.get("for") for label in page.all("label")}
    assert {"bar", "pick"} <= labelled
    for _, attributes in page.elements:
        if named := attributes.get("aria-labelledby"):
            assert named in identifiers
        # Whatever can scroll can be reached by keyboard, and says what it is.
        if attributes.get("tabindex") == "0":
            assert attributes.get("aria-labelledby")
    assert [1 for tag, _ in page.elements if tag == "h1"] == [1]
    assert any(attributes.get("role") == "status" for _, attributes in page.elements)


def test_the_page_follows_the_study(watched: Any, served: Served, tmp_path: Path) -> None:
    def go_on(path: str) -> None:
        # The page has its first state; the study goes on before it asks again.
        if served.asked.count("/state.json") == 1 and path == "/state.json":
            watched.round(2)
            watched.events(StudyStopped(code="round-failed", reason="Round 3 has no results."))
            served.before = lambda path: None

    watched.round(1)
    served.before = go_on
    page = look(served, tmp_path, 9000)
    assert "Stopped: Round 3 has no results." in page.text
    assert "2/4 Head CT" in page.text


def test_nothing_is_asked_beyond_the_page_itself(
    watched: Any, served: Served, tmp_path: Path
) -> None:
    look(served, tmp_path)
    scripts = {"/page.js", "/chart.js", "/words.js"}
    assert set(served.asked) <= scripts | {
        "/",
        "/sheet.css",
        "/page.css",
        "/icon.svg",
        "/state.json",
    }


_CUT_OFF = """
[document.documentElement, ...document.querySelectorAll(".scroll, figure, td, th")]
    .filter(one => one.scrollWidth > one.clientWidth + 1).length
"""
_CHART_SCALE = """
(chart => chart.getBoundingClientRect().width / chart.viewBox.baseVal.width)(
    document.querySelector("#norms svg"))
"""
_COLOURS = "(s => [s.color, s.backgroundColor])(getComputedStyle(document.body))"


@pytest.mark.skipif(shutil.which("bash") is None, reason="no bash on this machine")
@pytest.mark.parametrize("scheme", ["light", "dark"])
@pytest.mark.parametrize("width", [1300, 400])
def test_axe_finds_nothing_and_nothing_is_cut_off_at_any_width(
    watched: Any, served: Served, tmp_path: Path, width: int, scheme: str
) -> None:
    codes = {"north": "ok", "the-university-hospital-of-the-far-south": "ok", "west": "timeout"}
    for number in (1, 2):
        watched.round(number, codes)
        watched.scores("the-university-hospital-of-the-far-south", number, 60.0 - number)
    browser = Browser(tmp_path / "profile")
    try:
        browser.window(width, scheme)
        browser.open(f"http://127.0.0.1:{served.port}/")
        browser.until("document.querySelectorAll('#sites tbody tr').length === 3")
        browser.until("document.querySelector('#norms svg') !== null")
        browser.until("document.querySelectorAll('#scores tbody tr').length === 2")
        assert browser.value(_CUT_OFF) == 0
        assert violations(browser) == []
        # Words in the chart are as large as they are meant to be.
        assert browser.value(_CHART_SCALE) == 1
        # Letters stand out from what is behind them.
        ink, page = browser.value(_COLOURS)
        assert abs(_brightness(ink) - _brightness(page)) > 150
    finally:
        browser.stop()


@pytest.mark.skipif(shutil.which("bash") is None, reason="no bash on this machine")
@pytest.mark.parametrize("width", [1300, 400])
def test_a_hundred_sites_fill_a_few_screens_and_unfold(
    watched: Any, served: Served, tmp_path: Path, width: int
) -> None:
    codes = {f"hospital-{number:03}": "ok" for number in range(100)}
    for number in (1, 2):
        for site in ("hospital-041", "hospital-077"):
            codes[site] = "timeout"
        watched.round(number, codes)
    browser = Browser(tmp_path / "profile")
    try:
        browser.window(width)
        browser.open(f"http://127.0.0.1:{served.port}/")
        browser.until("document.querySelectorAll('#sites tbody tr').length === 5")
        browser.until("document.querySelector('#norms svg') !== null")
        names = "[...document.querySelectorAll('#sites tbody th')].map(one => one.textContent)"
        assert browser.value(names)[:2] == ["hospital-041", "hospital-077"]
        screens = browser.value("document.documentElement.scrollHeight / innerHeight")
        assert screens < (6 if width > 1000 else 14)
        assert browser.value(_CUT_OFF) == 0
        assert violations(browser) == []
        browser.value("document.querySelector('#unfold').click()")
        browser.until("document.querySelectorAll('#sites tbody tr').length === 100")
        assert browser.value(_CUT_OFF) == 0
    finally:
        browser.stop()


def assert_finite(text: str) -> None:
    """Nothing that is not finite is written out."""
    for word in ("Infinity", "NaN", "undefined"):
        assert word not in text


def test_many_sites_of_which_none_has_answered_have_no_norms(
    watched: Any, served: Served, tmp_path: Path
) -> None:
    codes = {f"hospital-{number:03}": "timeout" for number in range(20)}
    watched.round(1, codes)
    page = look(served, tmp_path)
    assert "20 sites: 0 answered last, 20 did not. Those that gave no result" in page.text
    assert_finite(page.text)


def test_a_round_with_numbers_that_are_not_finite_is_shown_with_dashes(
    watched: Any, served: Served, tmp_path: Path
) -> None:
    watched.round(1)
    wrong = float("inf")
    watched.history.append(
        [HistoryEntry(round=2, site="north", code="ok", update_norm=wrong, cosine=wrong)]
    )
    watched.events(WeightsMoved(round=2, share=wrong, step=wrong))
    page = look(served, tmp_path)
    assert "moved the weights by – of their length" in page.text
    assert_finite(page.text)


def test_who_is_suspected_in_a_joint_study_is_said_with_the_reason(
    watched: Any, served: Served, tmp_path: Path
) -> None:
    reason = "the sum is out of range"
    watched.events(RosterMade(sites=("a", "b", "c"), digest="0" * 64, words="one two"))
    watched.events(SitesSuspected(round=0, attempt=2, sites=("a", "b"), reason=reason))
    watched.events(CulpritsFound(round=3, attempt=1, sites=("b",), reason=reason))
    watched.events(KeysErased(site="a", code="study-over", seconds=1.0))
    text = look(served, tmp_path).text
    assert "The roster is made, of a, b, c. Words to compare: one two" in text
    assert "What is counted once, attempt 2: one of a, b spoils the sums" in text
    assert f"Round 3: asked no more, for spoiling the sums: b ({reason})" in text
    assert "a: study-over: the study is over there" in text


def test_what_trains_is_shown_with_why_it_was_chosen(
    watched: Any, served: Served, tmp_path: Path
) -> None:
    file = watched.path / "study.toml"
    study, reason = load_study(file), "biases, out of biases, norms, for 2 sites."
    file.write_text(study_to_toml(replace(study, outlook=replace(study.outlook, reason=reason))))
    assert f"chosen from public facts: {reason}" in look(served, tmp_path).text


def _brightness(colour: str) -> float:
    return sum(map(float, re.findall(r"[0-9]+", colour)[:3])) / 3
