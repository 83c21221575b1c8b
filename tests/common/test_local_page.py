"""One sheet and one icon serve every page of this machine; a page has its own rules beside them."""

from __future__ import annotations

import re
from pathlib import Path

import pytest
from fastapi.testclient import TestClient
from fedscan.common.local_page import local_page

ROOT = Path(__file__).parents[2]
PAGES = sorted(path.parent for path in ROOT.glob("[a-z]*/**/static/page.html"))


def test_there_are_three_pages() -> None:
    assert len(PAGES) == 3


def test_the_sheet_and_the_icon_are_sent_with_every_page() -> None:
    app = local_page("fedscan.server.dashboard", {}, cache="no-store")
    with TestClient(app, base_url="http://127.0.0.1") as client:
        sheet, icon = client.get("/sheet.css"), client.get("/icon.svg")
    assert "text/css" in sheet.headers["content-type"]
    assert "light-dark(" in sheet.text
    assert icon.headers["content-type"] == "image/svg+xml"


@pytest.mark.parametrize("folder", PAGES, ids=lambda folder: folder.parent.name)
def test_no_page_says_again_what_the_sheet_says(folder: Path) -> None:
    shared = rules((ROOT / "common" / "static" / "sheet.css").read_text("utf-8"))
    own = rules((folder / "page.css").read_text("utf-8"))
    assert shared & own == set()
    links = re.findall(r'href="(/[a-z.]+)"', (folder / "page.html").read_text("utf-8"))
    assert links[:3] == ["/icon.svg", "/sheet.css", "/page.css"]


def rules(css: str) -> set[str]:
    """Return each rule of a sheet with its selector, without spaces that say nothing."""
    return {" ".join(rule.split()) for rule in re.findall(r"[^{}]+\{[^{}]*\}", css)}
