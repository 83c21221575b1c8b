"""A reader study made without the command: of a run, and of a generator alone."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path

import pytest
from fedscan.errors import ConfigurationError
from fedscan.evaluation.readers.study import KEY
from fedscan.simulation.reader_study import ReaderStudyRequest, make_reader_study


@pytest.fixture
def request_of_run(finished, hospitals: Path, make_study, tmp_path: Path) -> ReaderStudyRequest:
    run, _, result = finished
    return ReaderStudyRequest(
        model=run,
        generator=result.generator,
        data=hospitals,
        study=make_study("evaluation.steps=1"),
        out=tmp_path / "readers",
        name="Chests",
        count=2,
    )


def test_half_of_the_images_are_of_held_out_patients(request_of_run: ReaderStudyRequest) -> None:
    study = make_reader_study(request_of_run)
    assert study.name == "Chests"
    assert sorted(study.key().values()) == [False, False, True, True]
    key = json.loads((study.folder / KEY).read_text()).values()
    captions = [[one["caption"] for one in key if one["synthetic"] == kind] for kind in (0, 1)]
    assert sorted(captions[0]) == sorted(captions[1])
    # The run's own split was used, not one made anew.
    assert not (request_of_run.out / "sites").exists()


def test_a_generator_alone_gets_its_own_split(request_of_run: ReaderStudyRequest) -> None:
    alone = replace(request_of_run, model=request_of_run.generator)
    assert len(make_reader_study(alone).items) == 4
    assert (request_of_run.out / "sites").is_dir()


def test_a_folder_with_a_study_is_refused_before_anything_takes_time(
    request_of_run: ReaderStudyRequest,
) -> None:
    make_reader_study(request_of_run)
    nowhere = replace(request_of_run, data=request_of_run.out / "none")
    with pytest.raises(ConfigurationError, match="holds a reader study already"):
        make_reader_study(nowhere)
