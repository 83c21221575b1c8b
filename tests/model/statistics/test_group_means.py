import numpy as np
from fedscan.model.description import Description
from fedscan.model.example import Example
from fedscan.model.statistics.group_means import (
    CLIP_NORM,
    RESOLUTION,
    all_groups,
    estimate_means,
    group_of,
    patient_vector,
    pool,
    vector_size,
)
from hypothesis import given, settings
from hypothesis import strategies as st

GROUPS = all_groups(("head",))


def example(rng, position=0.5, finding="lesion", level=0.0):
    image = np.clip(rng.normal(level, 0.1, (32, 32)), -1, 1).astype(np.float32)
    shown = Description(modality="CT", body_part="head", plane="axial", finding=finding)
    return Example(image=image, description=shown, position=position)


@given(st.lists(st.floats(0, 1), min_size=1, max_size=40))
@settings(max_examples=30, deadline=None)
def test_a_patient_with_many_scans_weighs_no_more_than_the_brightest_one(positions):
    rng = np.random.default_rng(0)
    examples = [example(rng, position=where, level=1.0) for where in positions]
    assert np.linalg.norm(patient_vector(examples, GROUPS)) <= np.hypot(RESOLUTION, 2.0) + 1e-4
    assert CLIP_NORM < RESOLUTION


def test_every_example_falls_into_a_known_group():
    rng = np.random.default_rng(1)
    assert {group_of(example(rng, where)) for where in (0.0, 0.4, 1.0)} <= set(GROUPS)
    assert len(set(GROUPS)) == len(GROUPS)


def test_means_are_recovered_from_the_sum_and_faint_groups_are_left_out():
    rng = np.random.default_rng(2)
    crowd = [[example(rng, level=-0.5)] for _ in range(200)]
    few = [[example(rng, finding="no finding", level=0.9)] for _ in range(2)]
    total = np.sum([patient_vector(patient, GROUPS) for patient in crowd + few], axis=0)
    total += rng.normal(0, 8.0, total.shape)
    assert total.shape == (vector_size(GROUPS),)
    means = estimate_means(total.astype(np.float32), GROUPS, 8.0)
    found = {mean.group.finding: mean for mean in means}
    assert "no finding" not in found
    assert abs(float(found["lesion"].image.mean()) - 0.25) < 0.02
    assert found["lesion"].noise_deviation < 0.06


def test_pooling_keeps_the_mean():
    image = np.random.default_rng(0).uniform(-1, 1, (64, 64)).astype(np.float32)
    assert abs(pool(image).mean() - (image.mean() + 1) / 2) < 1e-6
