"""What was trained on few patients without privacy is caught; the same with privacy is not."""

from __future__ import annotations

import math

import numpy as np
import pytest
import torch
from fedscan.errors import DataError
from fedscan.evaluation.gate import default_gate, hold, load_gate
from fedscan.evaluation.halves import halves
from fedscan.evaluation.measures.image_sets import RealSets
from fedscan.evaluation.measures.memorisation import pixel_vectors
from fedscan.evaluation.measures.results import Interval
from fedscan.evaluation.memory.copies import Copies, Vectors, find_copies
from fedscan.evaluation.memory.examine import examine_memory
from fedscan.evaluation.memory.membership import Guessing, encode_rows, guess, less_reference
from fedscan.evaluation.memory.section import _guess_measures, memory_section
from fedscan.evaluation.section import Section
from fedscan.evaluation.settings import MemorySettings
from fedscan.evaluation.subject import Subject
from fedscan.model.objective import diffusion_loss
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays
from made_up_heads import patients

SETTINGS = MemorySettings(samples=16, bootstrap=200, timesteps=4, noises=4)


def examine(generator, start, real, out) -> Section:
    subject = Subject(
        name="under examination",
        generator=generator,
        real=real,
        out=out,
        others={"base": start},
        steps=2,
        guidance_scale=1.0,
    )
    return examine_memory(subject, settings=SETTINGS)


def test_training_without_privacy_on_few_patients_is_caught(overfitted, start, heads, tmp_path):
    section = examine(overfitted, start, heads, tmp_path)
    found = {measure.name: measure for measure in section.measures}
    for attack in ("loss", "trajectory"):
        assert found[f"{attack}_auc"].low > 0.7
        assert found[f"{attack}_tpr_at_1_fpr"].value > 0.3
    assert section.summary.startswith("Yes")
    assert "members told from others by their loss" in section.summary


def test_the_same_training_with_privacy_is_not(private, start, heads, tmp_path):
    section = examine(private, start, heads, tmp_path)
    found = {measure.name: measure for measure in section.measures}
    for attack in ("loss", "trajectory"):
        assert found[f"{attack}_auc"].low < 0.5
        assert found[f"{attack}_auc"].value < 0.75
    assert section.summary.startswith("No sign")
    assert Section.from_dict(section.to_dict()) == section


def copies(synthetic: np.ndarray, real: RealSets) -> Copies:
    sides = [
        Vectors(values=pixel_vectors(side.images), patients=side.patients)
        for side in (real.train, real.holdout)
    ]
    return find_copies(pixel_vectors(synthetic), *sides, resamples=200, seed=0)


def test_copies_are_told_from_new_patients():
    real = RealSets(train=patients("train", 40, 1), holdout=patients("held", 40, 2))
    noise = np.random.default_rng(0).normal(0, 0.02, real.train.images.shape).astype(np.float32)
    copied = copies(real.train.images + noise, real)
    assert copied.ratio.high < 0.5
    assert copied.close_share.low > 0.9
    assert copied.nearest_share.low > 0.5
    new = copies(patients("new", 40, 3).images, real)
    assert new.ratio.low < 1 < new.ratio.high
    assert new.close_share.value < 0.2
    assert new.nearest_share.low < 0.5 < new.nearest_share.high


def test_blurred_images_are_near_to_all_and_no_copies():
    real = RealSets(train=patients("train", 40, 1), holdout=patients("held", 40, 2))
    mean = patients("new", 200, 3).images.reshape(20, 10, 32, 32).mean(axis=1)
    blurred = copies(mean, real)
    assert blurred.ratio.high < 1
    assert blurred.nearest_share.low < 0.5 < blurred.nearest_share.high


def test_more_patients_or_images_to_compare_with_are_no_sign():
    # Four times as many patients trained on as held out, with twice as many images each.
    train = np.concatenate([patients("train", 80, seed).images for seed in (1, 4)])
    keys = patients("train", 80, 1).patients * 2
    holdout = patients("held", 20, 2)
    new = find_copies(
        pixel_vectors(patients("new", 40, 3).images),
        Vectors(values=pixel_vectors(train), patients=keys),
        Vectors(values=pixel_vectors(holdout.images), patients=holdout.patients),
        resamples=200,
        seed=0,
    )
    assert new.nearest_share.low < 0.5 < new.nearest_share.high
    assert 0.3 < new.nearest_share.value < 0.7


def test_a_typical_patient_near_to_every_image_is_no_sign():
    # All but one patient are far from everything that is made; that one happens to be in training.
    rng = np.random.default_rng(0)
    names = [f"p{number:03}" for number in range(200)]
    values = torch.from_numpy(rng.normal(0, 1, (200, 20)))
    values[0] = 0.0
    made = torch.from_numpy(rng.normal(0, 0.1, (50, 20)))
    found = find_copies(
        made,
        Vectors(values=values[:160], patients=tuple(names[:160])),
        Vectors(values=values[160:], patients=tuple(names[160:])),
        resamples=200,
        seed=0,
    )
    assert found.nearest_share.low < 0.5


def test_the_threshold_is_not_reported_on_those_it_was_chosen_on():
    # Half of the held-out patients look like members: a threshold that saw them all would let
    # none of them pass.
    rng = np.random.default_rng(0)
    members = -rng.normal(3, 1, 300)
    others = -rng.normal(0, 1, 400)
    names = tuple(f"h{number:03}" for number in range(400))
    found = guess(members, tuple(f"m{i}" for i in range(300)), others, names, resamples=100, seed=0)
    assert found.threshold_patients == 200
    assert 0.5 < found.true_positives.value < 0.9
    assert 0 < found.false_positives < 0.05
    assert found.auc.low < 0.985 < found.auc.high  # the normal distribution's Phi(3 / sqrt(2))


def test_a_patient_is_in_one_half_only(chests):
    first, second = halves(chests.holdout, seed=1)
    assert not set(first.patients) & set(second.patients)
    assert first.patient_count == second.patient_count == 20
    assert len(first) + len(second) == len(chests.holdout)


def test_one_patient_cannot_be_halved():
    with pytest.raises(DataError, match="two halves"):
        halves(patients("only", 1, 0), seed=0)


def test_nearest_training_image_is_searched_among_all():
    real = RealSets(train=patients("train", 5, 1), holdout=patients("held", 5, 2))
    vectors = Vectors(values=torch.zeros(5, 1), patients=real.train.patients)
    other = Vectors(values=torch.ones(5, 1), patients=real.holdout.patients)
    found = find_copies(torch.zeros(3, 1), vectors, other, resamples=100, seed=0)
    assert found.nearest_share.value == 1.0


@pytest.mark.parametrize(("high", "said"), [(0.48, True), (0.53, False)])
def test_an_attack_that_points_the_wrong_way_is_said_to(high, said):
    guessing = Guessing(
        auc=Interval(value=0.42, low=0.36, high=high),
        true_positives=Interval(value=0.0, low=0.0, high=0.02),
        false_positives=0.0,
        threshold_patients=51,
        members=256,
        others=103,
    )
    auc = _guess_measures("trajectory", guessing)[0]
    assert ("held out look more like members" in auc.note) is said


def test_what_only_adapters_remember_is_caught(overfitted_adapters, start, heads, tmp_path):
    # Without conditions the generator is the base to the bit: who shows none sees nothing.
    rows, shown = next(iter(encode_rows(start, heads.train)))
    args = torch.full((5,), 300), torch.zeros_like(rows.latents)
    with torch.no_grad():
        losses = [
            [diffusion_loss(generator, way, *args) for way in (rows, shown)]
            for generator in (start, overfitted_adapters)
        ]
    assert torch.equal(losses[0][0], losses[1][0])
    assert not torch.isclose(losses[0][1], losses[1][1]).any()
    section = examine(overfitted_adapters, start, heads, tmp_path)
    found = {measure.name: measure for measure in section.measures}
    assert found["loss_auc"].low > 0.5
    assert "members told from others by their loss" in section.summary


def test_an_attack_on_what_never_trained_says_that_it_shows_nothing(start, heads, tmp_path):
    section = examine(start, start, heads, tmp_path)
    found = {measure.name: measure for measure in section.measures}
    for attack in ("loss", "trajectory"):
        for name in ("auc", "tpr_at_1_fpr"):
            measure = found[f"{attack}_{name}"]
            assert (measure.value, measure.low, measure.high) == (None, None, None)
            assert measure.inconclusive
            assert "as large as before training" in measure.note
    assert section.summary.count("COULD HAVE SHOWN NOTHING") == 2
    assert "no attack could be made" in section.summary
    lines = {line.measure: line for line in hold(load_gate(default_gate()), [section]).lines}
    assert not lines["memory.loss_auc"].passed
    assert not lines["memory.trajectory_auc"].passed
    assert Section.from_dict(section.to_dict()) == section


@given(members=st.integers(1, 12), others=st.integers(2, 12))
def test_a_perfect_attack_shows_something_where_it_is_no_luck(members, others):
    def keys(prefix: str, count: int) -> tuple[str, ...]:
        return tuple(f"{prefix}{number}" for number in range(count))

    found = guess(
        np.arange(float(members)),
        keys("m", members),
        100 + np.arange(float(others)),
        keys("h", others),
        resamples=2,
        seed=0,
    )
    luck = 1 / math.comb(members + others, members)
    assert bool(found.silent) is (luck > 0.025)


@pytest.mark.parametrize(("others", "measured"), [(3, False), (18, False), (20, True)])
def test_members_caught_are_not_told_of_few_held_out_patients(others, measured):
    members = tuple(f"m{number}" for number in range(20))
    held_out = tuple(f"h{number}" for number in range(others))
    found = guess(np.zeros(20), members, np.ones(others), held_out, resamples=100, seed=0)
    section = memory_section({}, {"loss": found}, has_reference=True)
    told = {measure.name: measure for measure in section.measures}
    assert told["loss_auc"].value == 1.0
    caught = told["loss_tpr_at_1_fpr"]
    assert (caught.value is not None) is measured
    assert caught.inconclusive is not measured
    if not measured:
        assert f"Cannot be measured with {others} patients held out" in caught.note
        assert section.tables[1].rows[0][2:] == (None, None)


@given(errors=arrays(np.float64, 8, elements=st.floats(1e-3, 1e3)), seed=st.integers(0, 99))
def test_only_what_is_within_rounding_is_no_difference(errors, seed):
    rng = np.random.default_rng(seed)
    within = errors * (1 + rng.uniform(-1e-7, 1e-7, 8))
    beyond = errors * (1 + rng.choice([-1, 1], 8) * 1e-6)
    assert not less_reference(within, errors).any()
    np.testing.assert_array_equal(less_reference(beyond, errors), beyond - errors)
