"""A hospital's planted mark is found in images and in weights; where there is none, nothing is."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from fedscan.evaluation.hospitals.examine import examine_hospitals
from fedscan.evaluation.hospitals.knowing import best_known, know_hospitals
from fedscan.evaluation.hospitals.naming import most_suspicious, name_hospitals
from fedscan.evaluation.measures.image_sets import ImageSet, RealSets
from fedscan.evaluation.memory.membership import less_reference, loss_errors
from fedscan.evaluation.settings import ExaminationSettings, MemorySettings
from made_up_chests import chest, pairs
from made_up_heads import patients, trained

HOSPITALS = ("east", "north", "west")
MEMORY = MemorySettings(
    samples=16, attacked_images=48, timesteps=2, noises=1, trajectory_steps=2, bootstrap=200
)


def with_mark(images):
    """A bright bar at the edge, as a frame or a burned-in sign would be."""
    marked = images.copy()
    marked[..., 2:5, 4:28] = 1.0
    return marked


def hospitals(seed: int, count: int, mark: str = "") -> ImageSet:
    """The same kind of patients at three hospitals, one of which may leave its mark."""
    rng = np.random.default_rng(seed)
    sets = [ImageSet.of(pairs(rng, f"{name}/{seed}-", count)) for name in HOSPITALS]
    images = [
        with_mark(one.images) if name == mark else one.images
        for name, one in zip(HOSPITALS, sets, strict=True)
    ]
    keys = tuple(key for one in sets for key in one.patients)
    return ImageSet(
        images=np.concatenate(images),
        descriptions=tuple(text for one in sets for text in one.descriptions),
        positions=np.concatenate([one.positions for one in sets]),
        patients=keys,
        sites=tuple(key.partition("/")[0] for key in keys),
    )


@pytest.fixture(scope="module")
def plain() -> np.ndarray:
    """Images of a generator that draws no mark, and of one before its training."""
    rng = np.random.default_rng(9)
    return np.stack([chest(rng, ("no finding", "pneumonia")[i % 2])[0] for i in range(60)])


def named(train: ImageSet, holdout: ImageSet, generated, before):
    return name_hospitals(train, holdout, generated, before, steps=80, resamples=200, seed=1)


def test_a_mark_that_generated_images_carry_names_the_hospital(plain):
    train, holdout = hospitals(1, 16, "north"), hospitals(2, 10, "north")
    drawn = plain.copy()
    drawn[::2] = with_mark(drawn[::2])
    worst = most_suspicious(named(train, holdout, drawn, plain))
    assert worst.hospital == "north"
    assert worst.real.low > 0.9
    assert worst.excess.low > 0.3
    assert worst.excess.value == pytest.approx(0.5, abs=0.1)
    # Without the generator before the training, others' real images are the measure.
    alone = most_suspicious(named(train, holdout, drawn, None))
    assert alone.hospital == "north"
    assert alone.excess.low > 0.1


def test_images_without_the_mark_name_nobody(plain):
    train, holdout = hospitals(1, 16, "north"), hospitals(2, 10, "north")
    worst = most_suspicious(named(train, holdout, plain[:30], plain[30:]))
    assert worst.real.low > 0.5
    assert worst.excess.low <= 0


def test_hospitals_that_are_alike_cannot_be_told(plain):
    namings = named(hospitals(1, 16), hospitals(2, 10), with_mark(plain), plain)
    assert len(namings) == 3
    assert most_suspicious(namings) is None


def test_a_hospital_whose_unseen_patients_are_known_better_is_told():
    images, rng = hospitals(3, 10), np.random.default_rng(4)
    errors = rng.normal(0, 1, len(images))
    nothing = best_known(know_hospitals(errors, images, resamples=400, seed=0))
    assert nothing.auc.low <= 0.5
    errors[np.array(images.sites) == "west"] -= 2
    found = best_known(know_hospitals(errors, images, resamples=400, seed=0))
    assert found.hospital == "west"
    assert found.auc.low > 0.7
    assert (found.patients, found.others) == (10, 20)


def test_a_kind_of_image_that_one_hospital_alone_has_tells_nothing():
    images, rng = hospitals(3, 10), np.random.default_rng(4)
    own = np.array(images.sites) == "west"
    other_kind = replace(
        images,
        descriptions=tuple(
            replace(text, body_part="abdomen") if west else text
            for text, west in zip(images.descriptions, own, strict=True)
        ),
    )
    errors = rng.normal(0, 1, len(images)) - 5 * own
    knowings = know_hospitals(errors, other_kind, resamples=200, seed=0)
    assert {one.hospital for one in knowings} == {"east", "north"}
    assert best_known(knowings).auc.low <= 0.5


@pytest.fixture(scope="module")
def two_hospitals(heads) -> ImageSet:
    """Held-out patients of two hospitals of one kind, of which one leaves its mark."""
    sets = [patients("marks", 14, 11), patients("plain", 14, 12)]
    return ImageSet(
        images=np.concatenate([with_mark(sets[0].images), sets[1].images]),
        descriptions=sets[0].descriptions + sets[1].descriptions,
        positions=np.concatenate([one.positions for one in sets]),
        patients=sets[0].patients + sets[1].patients,
        sites=("marks",) * 14 + ("plain",) * 14,
    )


@pytest.mark.parametrize("mark", [True, False])
def test_weights_tell_whose_mark_they_have_learnt(start, two_hospitals, mark):
    """Trained on other patients than those by whom the hospital is told."""
    members = patients("marks/train", 6, 13)
    members = replace(members, images=with_mark(members.images))
    generator = trained(start, members, noise=0.0) if mark else start
    errors = [
        loss_errors(one, two_hospitals, timesteps=3, noises=1, seed=0) for one in (generator, start)
    ]
    knowings = know_hospitals(less_reference(*errors), two_hospitals, resamples=200, seed=0)
    best = best_known(knowings)
    if mark:
        assert best.hospital == "marks"
        assert best.auc.low > 0.5
    else:
        assert best.auc.value == 0.5


def test_the_section_says_both(subject):
    settings = ExaminationSettings(utility_steps=10)
    train, holdout = hospitals(1, 6, "north"), hospitals(2, 5, "north")
    asked = replace(subject, real=RealSets(train=train, holdout=holdout))
    told = []
    section = examine_hospitals(
        asked,
        settings=MEMORY,
        examination=settings,
        on_progress=lambda what, done, of: told.append(done / of),
    )
    by_images, by_weights = section.measures
    assert section.key == "hospitals"
    assert (by_images.name, by_weights.name) == ("image_excess", "weights_auc")
    # The same weights before and after have learnt nothing of anybody.
    assert by_weights.value == 0.5
    assert by_images.inconclusive or by_images.value == 0
    assert [row[0] for row in section.tables[0].rows] == list(HOSPITALS)
    assert told == sorted(told)
    alone = examine_hospitals(replace(asked, others={}), settings=MEMORY, examination=settings)
    assert alone.measures[1].value is None
    assert "--against base=GENERATOR" in alone.summary


def test_one_hospital_alone_is_not_asked_about(subject):
    section = examine_hospitals(subject, settings=MEMORY, examination=ExaminationSettings())
    assert "Not measured. There are fewer than two hospitals" in section.summary
