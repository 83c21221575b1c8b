"""Sections survive JSON, and nothing else passes for one."""

from __future__ import annotations

import json

import pytest
from fedscan.errors import DataError
from fedscan.evaluation.section import Figure, Grid, Measure, Section


def test_a_section_survives_json():
    section = Section(
        key="memory",
        title="Does it remember patients?",
        summary="No copies were found.",
        measures=(Measure(name="share", title="Share", value=0.25, low=0.0, better="lower"),),
        tables=(Grid(title="By site", columns=("site", "n"), rows=(("north", 3), ("x", None))),),
        figures=(Figure(title="Nearest", file="nearest.png"),),
    )
    assert Section.from_dict(json.loads(json.dumps(section.to_dict()))) == section


@pytest.mark.parametrize(
    "values",
    [
        {},
        {"key": "a", "title": "b", "summary": "c", "more": 1},
        {"key": "a", "title": "b", "summary": "c", "measures": [{"name": "x"}]},
    ],
)
def test_what_is_no_section_is_refused(values):
    with pytest.raises(DataError, match="does not hold"):
        Section.from_dict(values)
