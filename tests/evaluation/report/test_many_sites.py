"""A report of a hundred sites shows their middle, their ends and those that stand apart."""

from __future__ import annotations

import re
from dataclasses import replace
from html.parser import HTMLParser
from pathlib import Path

import pytest
from axe import violations
from browser import CUT_OFF, Browser, needs_chromium
from fedscan.evaluation.report.build import write_report
from fedscan.evaluation.report.curves import curves
from fedscan.evaluation.report.many_sites import condensed, parted, round_lines, standing_apart
from fedscan.evaluation.report.results import RoundStep, RunResults, SiteRound
from hypothesis import given
from hypothesis import strategies as st

NAMES = tuple(f"hospital-{number:03}" for number in range(100))


@pytest.fixture
def many(run: RunResults) -> RunResults:
    """A hundred sites in seven rounds: one fails, one sends updates ten times as long."""
    rounds = [
        SiteRound(
            round=number,
            site=name,
            code="paused" if name == "hospital-041" and number > 2 else "ok",
            update_norm=10.0 if name == "hospital-077" else 1.0 + index / 1000,
            seconds=3.0 + index,
            epsilon=number / 2,
        )
        for number in range(1, 8)
        for index, name in enumerate(NAMES)
    ]
    sites = [replace(run.sites[0], name=name) for name in NAMES]
    return replace(run, sites=tuple(sites), rounds=tuple(rounds))


@needs_chromium
@pytest.mark.parametrize("width", [1300, 400])
def test_in_a_browser_a_hundred_sites_fill_a_few_screens(
    many: RunResults, tmp_path: Path, width: int
) -> None:
    steps = tuple(
        RoundStep(round=n, loss_before=0.5, loss=0.49, movement=0.01, step=0.002)
        for n in range(1, 8)
    )
    report = write_report(replace(many, steps=steps), tmp_path / "report.html")
    browser = Browser(tmp_path / "profile")
    try:
        browser.window(width)
        browser.open(report.as_uri())
        browser.until("document.readyState === 'complete' && document.querySelector('h1') !== null")
        folded = "details:not([open])"
        shown = f"one => !one.closest('{folded}')"
        rows = f"[...document.querySelectorAll('tbody tr')].filter({shown}).length"
        at_once = browser.value(rows)
        assert at_once < 120
        assert browser.value("document.documentElement.scrollHeight") < 900 * (
            16 if width > 1000 else 40
        )
        assert violations(browser) == []
        browser.value("document.querySelectorAll('details').forEach(one => { one.open = true })")
        assert browser.value(rows) > at_once + 700  # every site and every answer is there
        assert browser.value(CUT_OFF) == []
    finally:
        browser.stop()


class Page(HTMLParser):
    """Rows of tables that are shown at once, and those that are folded away."""

    def __init__(self, html: str) -> None:
        super().__init__()
        self.depth, self.open_rows, self.folded_rows = 0, 0, 0
        self.feed(html)

    def handle_starttag(self, tag: str, attributes: list[tuple[str, str | None]]) -> None:
        if tag == "details" and "open" not in dict(attributes):
            self.depth += 1
        if tag == "tr":
            self.open_rows += not self.depth
            self.folded_rows += bool(self.depth)

    def handle_endtag(self, tag: str) -> None:
        self.depth -= tag == "details" and self.depth > 0


def test_who_failed_and_who_differs_is_named_first(many: RunResults) -> None:
    assert standing_apart(many)[:2] == ["hospital-041", "hospital-077"]
    shown, folded = parted(many)
    assert len(shown) <= 6
    assert len(shown) + len(folded) == 100


def test_a_page_of_a_hundred_sites_can_be_read(many: RunResults, tmp_path: Path) -> None:
    html = write_report(many, tmp_path / "report.html").read_text("utf-8")
    page = Page(html)
    assert page.open_rows < 60 + sum(map(len, many.settings.values()))
    assert page.folded_rows >= 700
    assert "The other 9" in html
    assert "highest of all" in html
    assert all(len(chart.series) <= 8 for chart in curves(many))


def test_a_round_of_many_sites_is_one_line(many: RunResults) -> None:
    line = round_lines(many)[-1]
    assert (line.round, line.answers, line.sites) == (7, 99, 100)
    assert line.failures == "hospital-041: paused"
    assert line.norms[0] == 1.0
    assert line.norms[2] == 10.0
    assert line.seconds == 102.0


def test_a_round_that_nobody_answered_has_no_norms(many: RunResults, tmp_path: Path) -> None:
    lost = [replace(one, code="timeout", update_norm=0.0) for one in many.rounds[:100]]
    html = write_report(
        replace(many, rounds=(*lost, *many.rounds[100:])), tmp_path / "report.html"
    ).read_text("utf-8")
    assert "0 of 100" in html
    text = re.sub(r"<(script|style).*?</\1>|<[^>]+>", " ", html, flags=re.DOTALL)
    assert not re.search(r"\b(inf|nan|infinity)\b", text, re.IGNORECASE)


def test_few_sites_are_all_shown(run: RunResults) -> None:
    assert parted(run) == (list(run.sites), [])
    assert round_lines(run) == []
    assert {name for chart in curves(run) for name in chart.series} == {"north", "south"}


@given(
    st.dictionaries(
        st.text(min_size=1, max_size=3),
        st.lists(st.tuples(st.integers(1, 5), st.floats(-1e6, 1e6)), max_size=5),
        max_size=30,
    )
)
def test_no_value_lies_outside_the_three_lines(series: dict[str, list[tuple[int, float]]]) -> None:
    lines = condensed(series, [])
    high, middle, low = (
        dict(lines[name]) for name in ("highest of all", "middle", "lowest of all")
    )
    assert all(low[number] <= middle[number] <= high[number] for number in middle)
    for points in series.values():
        assert all(low[number] <= value <= high[number] for number, value in points)
