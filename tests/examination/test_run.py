"""An examination runs its sections in order, and survives on disk."""

from __future__ import annotations

import pytest
from fedscan.errors import ConfigurationError, DataError
from fedscan.examination.results import Examination, read_examination, write_examination
from fedscan.examination.run import run_examiners
from fedscan.examination.section import Measure, Section


def named(key):
    def examiner(subject, *, on_progress):
        on_progress("looking", 0.5)
        measure = Measure(name="share", title="Share", value=0.25, low=0.1, high=0.4)
        return Section(key=key, title=key, summary="Found.", measures=(measure,))

    return examiner


def test_sections_come_in_order_and_can_be_chosen(subject):
    known = {key: named(key) for key in ("utility", "anatomy", "memory")}
    told = []
    sections = run_examiners(subject, known, on_progress=lambda what, share: told.append(share))
    assert [section.key for section in sections] == ["utility", "anatomy", "memory"]
    assert told == sorted(told)
    (chosen,) = run_examiners(subject, known, only=["anatomy"])
    assert chosen.key == "anatomy"
    with pytest.raises(ConfigurationError, match="'fear'"):
        run_examiners(subject, known, only=["fear"])


def test_an_examination_survives_on_disk(subject, tmp_path):
    examination = Examination(
        fedscan="9.8.7",
        name="run",
        generator="ab" * 32,
        against={"base": "cd" * 32},
        own_split=True,
        train_patients=3,
        holdout_patients=2,
        sections=run_examiners(subject, {"memory": named("memory")}),
    )
    write_examination(examination, tmp_path)
    assert read_examination(tmp_path) == examination
    (tmp_path / "examination.json").write_text('{"schema": 1}')
    with pytest.raises(DataError, match="does not hold"):
        read_examination(tmp_path)
    with pytest.raises(DataError, match="There is no"):
        read_examination(tmp_path / "elsewhere")


def test_a_section_that_the_data_do_not_allow_does_not_take_others_along(subject):
    def refuses(subject, *, on_progress):
        raise DataError("There is one held-out patient.", hint="Hold out more.")

    sections = run_examiners(subject, {"memory": refuses, "utility": named("utility")})
    assert [section.key for section in sections] == ["memory", "utility"]
    assert sections[0].summary == "Not measured. There is one held-out patient. Hold out more."
    assert not sections[0].measures
