"""The page of the shipped words is the one in the repository."""

from __future__ import annotations

from pathlib import Path

from fedscan.model.words.reference import reference
from fedscan.model.words.tables import shipped_words

PAGE = Path(__file__).parents[3] / "docs" / "words.md"


def test_the_page_is_current():
    assert PAGE.read_text(encoding="utf-8") == reference(), "run `make docs`"


def test_the_page_names_every_word():
    text = reference()
    assert [w.word for w in shipped_words().words if f"| **{w.word}** |" not in text] == []
