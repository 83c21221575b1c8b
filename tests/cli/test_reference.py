"""The generated page of commands is the one in the repository."""

from __future__ import annotations

from pathlib import Path

from fedscan.cli.reference import reference
from fedscan.errors import FedscanError

PAGE = Path(__file__).parents[2] / "docs" / "commands.md"


def test_the_page_is_current():
    assert PAGE.read_text(encoding="utf-8") == reference(), "run `make docs`"


def test_every_exit_status_is_explained():
    statuses = {error.exit_status for error in [FedscanError, *FedscanError.__subclasses__()]}
    text = reference()
    assert [status for status in statuses if f"\n| {status} | " not in text] == []
