"""An examination runs its sections in order, and survives on disk."""

from __future__ import annotations

import json
from dataclasses import replace

import numpy as np
import pytest
from fedscan.errors import ConfigurationError, DataError
from fedscan.evaluation.finished_sections import KeptSections, digest_of
from fedscan.evaluation.measures.image_sets import RealSets
from fedscan.evaluation.results import Examination, read_examination, write_examination
from fedscan.evaluation.run import run_examiners
from fedscan.evaluation.section import Figure, Measure, Section


def named(key):
    def examiner(subject, *, on_progress):
        on_progress("looking", 1, 2)
        measure = Measure(name="share", title="Share", value=0.25, low=0.1, high=0.4)
        return Section(key=key, title=key, summary="Found.", measures=(measure,))

    return examiner


def test_sections_come_in_order_and_can_be_chosen(subject):
    known = {key: named(key) for key in ("utility", "anatomy", "memory")}
    told = []
    sections = run_examiners(
        subject, known, on_progress=lambda what, done, of: told.append(done / of)
    )
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


def counting(key, done):
    def examiner(subject, *, on_progress):
        done.append(key)
        (subject.out / f"{key}.png").write_bytes(b"drawn")
        return replace(
            named(key)(subject, on_progress=on_progress),
            figures=(Figure(title="drawn", file=f"{key}.png"),),
        )

    return examiner


def test_an_interrupted_examination_goes_on_where_it_was(subject):
    done = []

    def interrupted(subject, *, on_progress):
        raise KeyboardInterrupt

    kept = KeptSections(subject.out, "these settings")
    with pytest.raises(KeyboardInterrupt):
        run_examiners(
            subject, {"utility": counting("utility", done), "memory": interrupted}, store=kept
        )
    known = {key: counting(key, done) for key in ("utility", "memory")}
    sections = run_examiners(subject, known, store=kept)
    assert done == ["utility", "memory"]
    assert sections == run_examiners(subject, known)
    done.clear()
    # Other settings find other things, and what they found before is gone with its figures.
    run_examiners(subject, known, only=["memory"], store=KeptSections(subject.out, "other ones"))
    run_examiners(subject, known, store=kept)
    assert done == ["memory", "memory"]


@pytest.mark.parametrize("content", [b"", b"{", b"[]", b'{"depends_on": "these settings"}'])
def test_a_damaged_section_is_measured_anew(subject, content):
    done = []
    known, kept = {"memory": counting("memory", done)}, KeptSections(subject.out, "these settings")
    run_examiners(subject, known, store=kept)
    [file] = (subject.out / "sections").iterdir()
    file.write_bytes(content)
    run_examiners(subject, known, store=kept)
    values = json.loads(file.read_bytes())
    file.write_text(json.dumps({**values, "section": {"key": "memory"}}))
    run_examiners(subject, known, store=kept)
    (subject.out / "memory.png").unlink()
    run_examiners(subject, known, store=kept)
    assert done == 4 * ["memory"]


def test_a_section_is_taken_up_with_all_that_it_wrote_and_depends_on(subject):
    done = []
    known = {key: counting(key, done) for key in ("memory", "fairness", "data")}
    model = subject.out / "model.bin"

    def examined(scanners):
        done.clear()
        model.touch()
        kept = KeptSections(
            subject.out,
            "these settings",
            also={"fairness": scanners},
            files={"memory": model.name},
            anew=["data"],
        )
        if scanners == "lost":
            model.unlink()
        found = [key for key in known if kept.find(key)]
        run_examiners(subject, known, store=kept)
        assert sorted([*found, *done]) == sorted(known)
        return list(done)

    assert examined("one") == ["memory", "fairness", "data"]
    assert examined("one") == ["data"]
    assert examined("two") == ["fairness", "data"]
    assert examined("lost") == ["memory", "fairness", "data"]


def test_what_the_data_do_not_allow_is_tried_again(subject):
    def refuses(subject, *, on_progress):
        raise DataError("There is one held-out patient.")

    kept = KeptSections(subject.out, "these settings")
    assert not run_examiners(subject, {"memory": refuses}, store=kept)[0].measures
    [section] = run_examiners(subject, {"memory": named("memory")}, store=kept)
    assert section.measures


def test_every_image_setting_and_patient_counts(chests):
    def changed(**values):
        return RealSets(train=chests.train, holdout=replace(chests.holdout, **values))

    brighter = chests.holdout.images + np.float32(1e-3)
    others = tuple(f"south/{key}" for key in chests.holdout.patients)
    masks = tuple(None if mask is None else mask ^ 1 for mask in chests.holdout.masks)
    assert any(mask is not None for mask in masks)
    digests = {
        digest_of(chests, {"steps": 3}),
        digest_of(chests, {"steps": 4}),
        digest_of(changed(images=brighter), {"steps": 3}),
        digest_of(changed(patients=others), {"steps": 3}),
        digest_of(changed(masks=masks), {"steps": 3}),
        digest_of(changed(descriptions=chests.holdout.descriptions[::-1]), {"steps": 3}),
    }
    assert len(digests) == 6
    # Scanners are read for the section on fairness only, which depends on them by itself.
    scanners = ("a scanner",) * len(chests.holdout)
    same = RealSets(train=chests.train, holdout=replace(chests.holdout, scanners=scanners))
    assert digest_of(same, {"steps": 3}) == digest_of(chests, {"steps": 3})
