"""The generated configuration page is the one in the repository, and is complete."""

from __future__ import annotations

from pathlib import Path

from fedscan.config.reference import reference
from fedscan.config.study import study_settings

PAGE = Path(__file__).parents[2] / "docs" / "configuration.md"


def test_the_page_is_current():
    assert PAGE.read_text(encoding="utf-8") == reference(), "run `make docs`"


def test_the_page_names_every_setting():
    text = reference()
    assert [s.path for s in study_settings() if f"| `{s.key}` |" not in text] == []


def test_shipped_studies_are_valid():
    from fedscan.config.study import load_study

    shipped = sorted((Path(__file__).parents[2] / "config").glob("*.toml"))
    assert shipped
    for path in shipped:
        load_study(path)
