"""A folder is indexed beside its table, and a table of other images is refused."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest
from fedscan.errors import DataError
from fedscan.imaging.labels.index_with_table import IndexRequest, index_with_table
from fedscan.imaging.settings import DataSettings
from tiny_hospitals import write_hospitals


def test_a_table_says_what_headers_do_not_and_must_be_about_an_image(tmp_path: Path) -> None:
    write_hospitals(tmp_path / "scans", {"north": 2}, images=1)
    request = IndexRequest(folder=tmp_path / "scans", settings=DataSettings())
    assert index_with_table(request).labels is None
    path = tmp_path / "labels.csv"
    path.write_text("patient,finding\nnorth-1,fracture\n", encoding="utf-8")
    index = index_with_table(replace(request, labels=path))
    assert index.labels is not None
    assert index.labels.images == 1
    [label] = index.patients[1].labels.values()
    assert label.finding == "fracture" or label.findings == ("fracture",)
    with pytest.raises(DataError, match="which image a row is about"):
        index_with_table(replace(request, labels=path, labels_by="image"))
    path.write_text("patient,finding\nnobody,fracture\n", encoding="utf-8")
    with pytest.raises(DataError, match="No row"):
        index_with_table(replace(request, labels=path))
