"""Gaps that are there are found, gaps that are not are not, and small groups stay unnamed."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
import torch
from fedscan.evaluation.fairness.bench import Bench
from fedscan.evaluation.fairness.examine import examine_fairness
from fedscan.evaluation.fairness.groups import PatientGroup, find_groups, labels, prompts_for
from fedscan.evaluation.fairness.measures import Fidelity, Members, Quality, Utility
from fedscan.evaluation.halves import first_half
from fedscan.evaluation.measures.bootstrap import patient_weights
from fedscan.evaluation.measures.image_sets import ImageSet, RealSets
from fedscan.evaluation.measures.tasks import Task
from fedscan.evaluation.section import Section
from fedscan.evaluation.settings import FairnessSettings

A, B = (PatientGroup(attribute="sex", name=name, patients=60) for name in ("female", "male"))
TASK = Task(key="pneumonia", field="finding", classes=("no finding", "pneumonia"))
COUNT = 120


@pytest.fixture
def bench(chests):
    """120 patients with one image each, the first half women; as many synthetic images."""
    patients = tuple(f"p{number:03}" for number in range(COUNT))
    holdout = replace(
        chests.holdout.select(np.arange(COUNT) % len(chests.holdout)), patients=patients
    )
    women = np.arange(COUNT) < COUNT // 2
    return Bench(
        holdout=holdout,
        members={
            A: Members(real=women, synthetic=women),
            B: Members(real=~women, synthetic=~women),
        },
        real=patient_weights(patients, resamples=200, seed=0),
        synthetic=patient_weights(patients, resamples=200, seed=1),
        choose_real=first_half(patients, 0),
        choose_synthetic=first_half(patients, 1),
        least=10,
    )


def features(seed: int, shift: float = 0.0) -> torch.Tensor:
    """Normal features, those of the second group shifted."""
    values = np.random.default_rng(seed).normal(size=(COUNT, 8))
    values[COUNT // 2 :] += shift
    return torch.from_numpy(values)


def test_worse_images_of_one_group_are_a_gap(bench):
    patients = np.array(bench.holdout.patients)
    gap = bench.gap(Quality(features(0), features(1, shift=1.0), patients), [A, B])
    assert (gap.best, gap.worst) == ("female", "male")
    assert gap.difference.low > 0
    same = bench.gap(Quality(features(0), features(1), patients), [A, B])
    assert same.difference.low < 0 < same.difference.high


def test_the_kernel_distance_of_the_same_distribution_is_0_for_any_size(bench):
    quality = Quality(features(0), features(1), np.array(bench.holdout.patients))
    for group in (A, B):
        value = bench.value(quality, group)
        assert value.low < 0.05
        assert abs(value.value) < 0.5


def test_images_of_one_patient_are_no_pair():
    # Two images of each patient, alike: taken as independent they would look like a distance.
    values = torch.from_numpy(np.random.default_rng(0).normal(size=(40, 8)).repeat(2, axis=0))
    made = torch.from_numpy(np.random.default_rng(1).normal(size=(80, 8)))
    everybody = Members(real=np.ones(80, bool), synthetic=np.ones(80, bool))
    weights = np.ones((1, 80), np.int64)
    found = [
        Quality(values, made, np.arange(80) // size).values(everybody, weights, weights)[0]
        for size in (1, 2)
    ]
    assert found[1] < found[0]
    assert abs(found[1]) < 0.5


def test_utility_and_fidelity_are_measured_within_the_group(bench):
    classes = np.arange(COUNT) % 2
    sure = np.stack([1 - classes, classes], axis=1).astype(float)
    blind = np.full((COUNT, 2), 0.5)
    women = bench.members[A].real[:, None]
    mixed = np.where(women, sure, blind)
    utility = Utility(TASK, [mixed], classes)
    assert bench.value(utility, A).value == 1.0
    assert bench.value(utility, B).value == 0.5
    assert bench.gap(utility, [A, B]).difference.value == pytest.approx(0.5)
    fidelity = Fidelity(TASK, [mixed], classes)
    assert bench.value(fidelity, A).value == 1.0
    assert bench.gap(fidelity, [A, B]).difference.low > 0.2


def test_a_gap_that_is_chosen_is_not_found_in_noise(bench):
    # Of many equal groups the best and the worst differ on the half that chose them.
    rng = np.random.default_rng(0)
    groups = [PatientGroup(attribute="site", name=f"s{i}", patients=12) for i in range(10)]
    owner = np.arange(COUNT) % 10
    for number, group in enumerate(groups):
        bench.members[group] = Members(real=owner == number, synthetic=owner == number)
    utility = Utility(TASK, [rng.random((COUNT, 2))], rng.integers(0, 2, COUNT))
    small = replace(bench, least=4)
    gap = small.gap(utility, groups)
    assert gap is None or gap.difference.low < 0


def sexed(images: ImageSet, women: int) -> ImageSet:
    """Make the first patients women, one more a patient of unknown sex, and all of one site."""
    keys = list(dict.fromkeys(images.patients))
    sexes = {key: "female" if i < women else "male" for i, key in enumerate(keys)}
    sexes[keys[-1]] = ""
    return replace(
        images,
        descriptions=tuple(
            replace(shown, sex=sexes[patient])
            for shown, patient in zip(images.descriptions, images.patients, strict=True)
        ),
        sites=("north",) * len(images),
    )


def test_small_groups_are_counted_and_not_named(chests):
    train, holdout = sexed(chests.train, 30), sexed(chests.holdout, 4)
    grouping = find_groups(train, holdout, min_patients=10)
    assert {(g.attribute, g.name) for g in grouping.groups} == {("sex", "male"), ("site", "north")}
    assert grouping.suppressions == {"sex": 1}
    chosen = prompts_for(train, grouping, per_group=200, rng=np.random.default_rng(0))
    assert (np.array(labels(train)["sex"])[chosen] == "male").sum() >= 200


def test_scanners_are_no_groups_where_every_site_has_its_own(chests):
    train, holdout = sexed(chests.train, 30), sexed(chests.holdout, 20)

    def grouping(scanners: list[str]):
        marked = replace(holdout, scanners=tuple(scanners))
        known = replace(train, scanners=("A",) * len(train))
        return find_groups(known, marked, min_patients=10)

    repeated = grouping(["A"] * len(holdout))
    assert repeated.one_scanner_each
    assert "scanner" not in repeated.attributes
    # A second scanner at the site is a question of its own.
    differing = grouping(["B"] + ["A"] * (len(holdout) - 1))
    assert not differing.one_scanner_each
    assert [group.name for group in differing.of("scanner")] == ["A"]


def test_a_whole_examination(chests, subject):
    real = RealSets(train=sexed(chests.train, 30), holdout=sexed(chests.holdout, 20))
    settings = FairnessSettings(
        samples_per_group=24, classifier_steps=10, classifier_seeds=1, bootstrap=100
    )
    section = examine_fairness(replace(subject, real=real), settings=settings)
    assert Section.from_dict(section.to_dict()) == section
    rows = section.tables[0].rows
    assert [row[:3] for row in rows] == [
        ("sex", "female", 20),
        ("sex", "male", 10),
        ("site", "north", 40),
    ]
    found = {measure.name: measure for measure in section.measures}
    for name in ("quality_gap_sex", "utility_pneumonia_gap_sex", "fidelity_pneumonia_gap_sex"):
        assert found[name].low <= found[name].value <= found[name].high
    assert found["quality_gap_site"].value is None
