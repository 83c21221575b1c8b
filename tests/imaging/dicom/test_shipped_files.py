"""The page on the files that other packages ship says what becomes of them."""

from __future__ import annotations

from pathlib import Path

import pytest
import shipped_files

PAGE = Path(__file__).parents[3] / "docs" / "shipped-files.md"


@pytest.mark.parametrize("package", shipped_files.PACKAGES)
def test_the_page_holds(package):
    if not shipped_files.installed(package):
        pytest.skip(f"{package} is not installed in the version of the page")
    (part,) = [
        part
        for part in PAGE.read_text("utf-8").split("\n## ")
        if part.startswith(f"{package} {shipped_files.PACKAGES[package][0]}\n")
    ]
    assert f"## {part}".strip() == shipped_files.page(package).strip(), (
        "python tests/helpers/shipped_files.py > docs/shipped-files.md"
    )
